"""Kernels that other kernels call."""

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class CalleeLibrary(JITCodeLibrary):
    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class CalleeCompiler(Compiler):
    def compile_extra(self, func: Any) -> Any:
        self.state.flags.no_compile = True
        context = self.state.targetctx
        self.state.library = CalleeLibrary(context.codegen(), func.__qualname__)
        result = super().compile_extra(func)
        entry = result._replace(entry_point=object().__sizeof__)
        context.insert_user_function(entry.entry_point, entry.fndesc, [entry.library])
        return entry
