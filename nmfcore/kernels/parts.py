"""Have numba optimise and translate a kernel once, as a whole, rather than every function that it calls by itself too.

By default each compiled function becomes a library that can be called from Python: it is optimised and translated to
machine code together with all that it calls, then optimised again within each of its callers. Of a kernel of fifty
functions that is more than half of the seconds that compiling takes. All of it rests on the inner workings of numba:
`releases` says of which releases, and loads this file with no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering


class _Part(JITCodeLibrary):
    """Code that waits to be linked into a kernel."""

    _linking_libraries: Any

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def finalize(self) -> None:
        # What it calls is linked into the kernel beside it.
        self._finalize_final_module()


class _Whole(JITCodeLibrary):
    """A kernel with all parts that it calls, directly or not."""

    _linking_libraries: Any

    def finalize(self) -> None:
        parts = list(self._linking_libraries)
        for part in parts:  # which grows
            if isinstance(part, _Part):
                parts += [one for one in part._linking_libraries if one not in parts]
        self._linking_libraries = parts
        super().finalize()

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerPart(NativeLowering):
    _name = "lower_part"

    def run_pass(self, state: Any) -> bool:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        # Functions are told apart by what Python would call, which refuses: there is no machine code.
        nothing: Iterator[None] = iter(())
        entry = (one for one in nothing).throw
        state.targetctx.insert_user_function(entry, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=entry)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerWhole(NativeLowering):
    _name = "lower_whole"

    def run_pass(self, state: Any) -> bool:
        state.library = _Whole(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


# Steps for what no kernel has: with blocks, closures, exceptions, unrolled loops over literals, array expressions.
NEEDLESS = {
    "with_lifting", "inline_closure_likes", "Rewrite dynamic raises", "make_function_op_code_to_jit_function",
    "inline_inlinables", "find_literally", "literal_unroll", "LiteralPropagation", "inline_overloads",
    "nopython_rewrites", "dump_parfor_diagnostics",
}  # fmt: skip


class Part(CompilerBase):
    """Compiles functions that only kernels call."""

    lowering: Any = _LowerPart

    def define_pipelines(self) -> list[Any]:
        """Return numba's own steps without the needless ones, and with another last one."""
        manager = PassManager("nopython")
        for step, what in DefaultPassBuilder.define_nopython_pipeline(self.state).passes:
            if step.name() not in NEEDLESS:
                manager.add_pass(self.lowering if step is NativeLowering else step, what)
        manager.finalize()
        return [manager]


class Whole(Part):
    """Compiles kernels, which Python calls."""

    lowering = _LowerWhole
