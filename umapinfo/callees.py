"""How numba compiles a kernel for the kernels that call it: to be linked into them, and optimised only there.

Numba would optimise and translate each kernel for itself and, linked, once more in every kernel above it.  And it would
type its functions of arrays anew for each set of options: outside of loops in threads they see one set here, whether a
kernel is called from Python, called by others or put into them.
"""

import gc
from typing import Any, ClassVar

import numba
from numba.core import base, codegen, compiler

JITCodeLibrary: Any = getattr(codegen, "JITCodeLibrary", object)
Compiler: Any = compiler.Compiler
Flags: Any = getattr(compiler, "Flags", object)

_REPLACED = ("_optimize_functions", "_optimize_final_module", "_finalize_final_module")
_CALLED = ("_finalize_dynamic_globals", "_verify_declare_only_symbols")
_PIPELINE = ("_compile_core", "define_pipelines")
_USED = (
    *((JITCodeLibrary, name) for name in _REPLACED + _CALLED),
    *((Compiler, name) for name in _PIPELINE),
    (base.BaseContext, "insert_user_function"),
)
# Of another numba, whose private parts may mean something else, each kernel is compiled for itself.
KNOWN = numba.__version__.startswith("0.68.") and all(hasattr(*used) for used in (*_USED, (Flags, "no_compile")))


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


class _SharedFlags(Flags):  # type: ignore[misc]
    """What functions within a kernel are compiled by, and found by in numba's caches.

    Numba looks there by the names of all flags, and then compares all values with those of each entry; there is only
    one of these for alike values.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def copy(self) -> Any:
        """Flags that may be changed."""
        return Flags(self)


class _KernelFlags(Flags):  # type: ignore[misc]
    """A kernel's flags, whose copy is the same for all kernels of alike flags, but for those that concern it alone."""

    __slots__ = ()
    shared: ClassVar[dict[str, _SharedFlags]] = {}

    def copy(self) -> _SharedFlags:
        """What a compiler hands on to what the kernel calls."""
        flags: Any = _SharedFlags(self)
        for name in ("auto_parallel", "forceinline", "no_cfunc_wrapper", "no_compile", "no_cpython_wrapper"):
            flags.discard(name)
        return self.shared.setdefault(flags.summary(), flags)


class KernelCompiler(Compiler):  # type: ignore[misc]
    """Numba's pipeline, with shared flags for what a kernel calls.

    And without Python's search for cycles, to which the many objects of a compiler give much to do.
    """

    def compile_extra(self, function: Any) -> Any:
        """Compile a function for the types that the pipeline was made with; numba's lock is held."""
        searches = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(function)
        finally:
            if searches:
                gc.enable()

    def _compile_core(self) -> Any:
        if KNOWN:
            self.own_flags, self.state.flags = self.state.flags, _KernelFlags(self.state.flags)
        return super()._compile_core()

    def define_pipelines(self) -> Any:
        """Numba's passes; by now it has taken a copy of the flags."""
        if KNOWN:
            self.state.flags = self.own_flags
        return super().define_pipelines()


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
