"""How numba compiles a kernel for the kernels that call it: to be linked into them, and optimised only there.

Numba would optimise and translate each kernel for itself and, linked, once more in every kernel above it.
"""

import gc
from typing import Any

import numba
from numba.core import base, codegen, compiler

JITCodeLibrary: Any = getattr(codegen, "JITCodeLibrary", object)
Compiler: Any = compiler.Compiler

_REPLACED = ("_optimize_functions", "_optimize_final_module", "_finalize_final_module")
_CALLED = ("_finalize_dynamic_globals", "_verify_declare_only_symbols")
_USED = (*((JITCodeLibrary, name) for name in _REPLACED + _CALLED), (base.BaseContext, "insert_user_function"))
# Of another numba, whose private parts may mean something else, each kernel is compiled for itself.
KNOWN = numba.__version__.startswith("0.68.") and all(
    hasattr(*used) for used in (*_USED, (compiler.Flags, "no_compile"))
)


class CalleeLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code as it was written down, with that of the kernels that it calls; it is never run itself."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        """Leave it to the kernel that is called from Python."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class KernelCompiler(Compiler):  # type: ignore[misc]
    """Numba's pipeline, without Python's search for cycles, to which the many objects of a compiler give much to do."""

    def compile_extra(self, function: Any) -> Any:
        """Compile a function for the types that the pipeline was made with; numba's lock is held."""
        searches = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(function)
        finally:
            if searches:
                gc.enable()


class CalleeCompiler(KernelCompiler):
    """Numba's pipeline up to code that others link."""

    def compile_extra(self, function: Any) -> Any:
        """Compile a function for the types that the pipeline was made with."""
        self.state.flags.no_compile = True
        context = self.state.targetctx
        self.state.library = CalleeLibrary(context.codegen(), function.__qualname__)
        result = super().compile_extra(function)
        # Numba finds a callee by what Python would call: here by a builtin of its own, which nobody calls.
        named = result._replace(entry_point=object().__sizeof__)
        context.insert_user_function(named.entry_point, named.fndesc, [named.library])
        return named
