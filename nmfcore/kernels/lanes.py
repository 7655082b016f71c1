"""A numba type for LANES floating-point numbers that are worked on at once.

numba leaves vectorising to LLVM's loop passes, which give up on short inner loops and on arrays that may overlap. Here
the vector is a type of its own, lowered to LLVM vector operations, so that compiled loops keep their accumulators in
registers whatever the processor's vector width. One lane is one replicate.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import register_default as register_model
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin
from numba.np.arrayobj import populate_array

from . import LANES


class LanesType(types.Type):
    """LANES values of one floating-point type."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"lanes({dtype})")


@register_model(LanesType)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, fe_type: LanesType) -> None:
        super().__init__(manager, fe_type, vector_of(fe_type.dtype))


def _scalar(dtype: Any) -> ir.Type:
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(dtype.bitwidth)


def vector_of(dtype: Any) -> ir.VectorType:
    """Return LLVM's type of LANES values of a numba type."""
    return ir.VectorType(_scalar(dtype), LANES)


def pointer_to(context: Any, builder: Any, array_type: types.Array, array: Any, index: Any) -> Any:
    """Emit the address of LANES values of an array from `index` on."""
    data = context.make_array(array_type)(context, builder, array).data
    pointer = builder.gep(data, [index], inbounds=True)
    return builder.bitcast(pointer, ir.PointerType(vector_of(array_type.dtype)))


def read(builder: Any, pointer: Any, dtype: Any, wanted: Any) -> Any:
    """Emit a load of LANES values of `dtype`, converted to `wanted`."""
    value = builder.load(pointer, align=dtype.bitwidth // 8)
    return convert(builder, value, dtype, wanted)


def convert(builder: Any, value: Any, dtype: Any, wanted: Any) -> Any:
    """Emit a conversion between vector types."""
    bits: int = dtype.bitwidth
    if isinstance(dtype, types.Integer):
        if bits < 32:  # through 32 bits: one widening, one conversion, both vector instructions
            value = builder.zext(value, ir.VectorType(ir.IntType(32), LANES))
        return builder.sitofp(value, vector_of(wanted))
    if bits < wanted.bitwidth:
        return builder.fpext(value, vector_of(wanted))
    if bits > wanted.bitwidth:
        return builder.fptrunc(value, vector_of(wanted))
    return value


def in_every_lane(builder: Any, scalar: Any, kind: ir.VectorType) -> Any:
    """Emit a vector that holds one value in every lane."""
    empty = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, mask)


@intrinsic
def load(typingctx: Any, array: Any, index: Any, like: Any) -> Any:
    """Return LANES consecutive values of `array` from `index` on, in the floating-point type of the array `like`."""
    wanted = like.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, array, args[0], args[1])
        return read(builder, pointer, array.dtype, wanted)

    return LanesType(wanted)(array, types.intp, like), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write LANES values into `array` from `index` on, in the array's floating-point type."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, array, args[0], args[1])
        converted = convert(builder, args[2], value.dtype, array.dtype)
        builder.store(converted, pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def copy_lanes(typingctx: Any, target: Any, at: Any, source: Any, index: Any) -> Any:
    """Copy LANES consecutive values of `source` from `index` on to target[at:], which has the same type."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        align = source.dtype.bitwidth // 8
        value = builder.load(pointer_to(context, builder, source, args[2], args[3]), align=align)
        builder.store(value, pointer_to(context, builder, target, args[0], args[1]), align=align)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp), codegen


@intrinsic
def clear(typingctx: Any, array: Any) -> Any:
    """Set all of a contiguous array to zero."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        whole = context.make_array(array)(context, builder, args[0])
        size = builder.mul(whole.nitems, whole.itemsize)
        cgutils.memset(builder, whole.data, size, 0)
        return context.get_dummy_value()

    return types.void(array), codegen


def _part(context: Any, builder: Any, result: Any, room: Any, places: Any, which: int) -> Any:
    index = ir.IntType(64)
    begin, end = (
        builder.load(builder.gep(places.data, [ir.Constant(index, which + i)], inbounds=True)) for i in range(2)
    )
    data = builder.gep(builder.bitcast(room.data, ir.PointerType(ir.IntType(8))), [begin], inbounds=True)
    size = ir.Constant(index, result.dtype.bitwidth // 8)
    array = context.make_array(result)(context, builder)
    populate_array(
        array,
        data=builder.bitcast(data, array.data.type),
        shape=[builder.udiv(builder.sub(end, begin), size)],
        strides=[size],
        itemsize=size,
        meminfo=None,
    )
    return array._getvalue()


def arranger(kind: type, dtypes: Callable[[Any, Any], list[Any]]) -> Any:
    """Return a function that gives out the bytes of an array as the fields of a named tuple, flat arrays.

    It takes the array, the places where each field begins and the last one ends, in bytes, and two arrays, of whose
    types `dtypes` makes those of the fields. What it returns does not keep the array from being freed.
    """

    @intrinsic
    def arrange(typingctx: Any, room: Any, places: Any, values: Any, like: Any) -> Any:
        fields = [types.Array(dtype, 1, "C") for dtype in dtypes(values.dtype, like.dtype)]
        result: Any = types.NamedTuple(fields, kind)  # type: ignore[attr-defined]

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            whole, table = (context.make_array(x)(context, builder, y) for x, y in ((room, args[0]), (places, args[1])))
            parts = [_part(context, builder, field, whole, table, i) for i, field in enumerate(fields)]
            return context.make_tuple(builder, result, parts)

        return result(room, places, values, like), codegen

    return arrange


@intrinsic
def view(typingctx: Any, array: Any, first: Any, length: Any) -> Any:
    """Return the flat array array[first : first + length], which lies within `array`, with neither checks nor clipping.

    It does not keep `array` from being freed.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        whole, index = context.make_array(array)(context, builder, args[0]), ir.IntType(64)
        size = ir.Constant(index, array.dtype.bitwidth // 8)
        result = context.make_array(array)(context, builder)
        data = builder.gep(whole.data, [args[1]], inbounds=True)
        populate_array(result, data=data, shape=[args[2]], strides=[size], itemsize=size, meminfo=None)
        return result._getvalue()

    return array(array, types.intp, types.intp), codegen


@intrinsic
def transpose(typingctx: Any, source: Any, places: Any, first: Any, offset: Any, target: Any) -> Any:
    """Write the LANES vectors at source[places[first + i] + offset], i = 0, 1, ..., transposed to target[0:].

    Lane l of vector i becomes target[l * LANES + i]. Places beyond the end of `places` repeat its last.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index, size = ir.IntType(64), source.dtype.bitwidth // 8
        numbers = context.make_array(places)(context, builder, args[1])
        last = builder.sub(builder.extract_value(numbers.shape, 0), ir.Constant(index, 1))
        rows = []
        for i in range(LANES):
            at = builder.add(args[2], ir.Constant(index, i))
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            place = builder.add(builder.load(builder.gep(numbers.data, [at], inbounds=True)), args[3])
            rows.append(builder.load(pointer_to(context, builder, source, args[0], place), align=size))
        half = LANES
        # Rows that are `half` apart exchange the blocks off the diagonal, first large blocks, then small ones.
        while (half := half // 2) > 0:
            low = [i if i & half == 0 else LANES + i - half for i in range(LANES)]
            high = [i + half if i & half == 0 else LANES + i for i in range(LANES)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), LANES), mask) for mask in (low, high)]
            for i in range(LANES):
                if i & half == 0:
                    pair = rows[i], rows[i + half]
                    rows[i], rows[i + half] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        for lane, row in enumerate(rows):
            at = ir.Constant(index, lane * LANES)
            builder.store(row, pointer_to(context, builder, target, args[4], at), align=size)
        return context.get_dummy_value()

    return types.void(source, places, types.intp, types.intp, target), codegen


@intrinsic
def splat(typingctx: Any, scalar: Any, like: Any) -> Any:
    """Return `scalar` in every lane, in the floating-point type of the array `like`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = context.cast(builder, args[0], scalar, like.dtype)
        return in_every_lane(builder, value, vector_of(like.dtype))

    return LanesType(like.dtype)(scalar, like), codegen


def _binary(emit: Any) -> Any:
    @intrinsic
    def function(typingctx: Any, left: Any, right: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return emit(builder, args[0], args[1])

        return left(left, right), codegen

    return function


# NaN in the left operand survives both: a comparison with NaN is false and selects it.
lanes_max = _binary(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), y, x))
lanes_min = _binary(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), y, x))


@intrinsic
def lanes_sqrt(typingctx: Any, value: Any) -> Any:
    """Return the square root of every lane."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        name = f"llvm.sqrt.v{LANES}f{value.dtype.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
        return builder.call(function, [args[0]])

    return value(value), codegen


def _bits(emit: Any) -> Any:
    # Of positive normal numbers of float64.
    @intrinsic
    def function(typingctx: Any, value: Any) -> Any:
        kind = ir.VectorType(ir.IntType(64), LANES)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            bits = builder.bitcast(args[0], kind)
            return emit(builder, bits, lambda number: ir.Constant(kind, [number] * LANES), args[0].type)

        return value(value), codegen

    return function


def _exponent(builder: Any, bits: Any, constant: Any, kind: Any) -> Any:
    # As the last bits of 2^52, which need no conversion between integers and floats.
    high = builder.or_(builder.lshr(bits, constant(52)), constant(0x433 << 52))
    return builder.fsub(builder.bitcast(high, kind), ir.Constant(kind, [2.0**52 + 1023] * LANES))


def _mantissa(builder: Any, bits: Any, constant: Any, kind: Any) -> Any:
    return builder.bitcast(builder.or_(builder.and_(bits, constant(2**52 - 1)), constant(0x3FF << 52)), kind)


# A positive number is its mantissa, from 1 to 2, times two to its exponent.
exponent, mantissa = _bits(_exponent), _bits(_mantissa)


def _operator(symbol: Any, emit: Any) -> None:
    # numba's overloads would be compiled one by one, for every pair of types, before they are inlined.
    @infer_global(symbol)
    class _Typing(AbstractTemplate):
        # Templates for a target are tried before the general ones, of which each operator has some ten.
        metadata: Any = {"target": "cpu"}  # noqa: RUF012

        def generic(self, args: Any, kws: Any) -> Any:
            left, right = args
            return left(left, right) if isinstance(left, LanesType) and left == right else None

    @lower_builtin(symbol, LanesType, LanesType)
    def _lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, args[0], args[1])


_operator(operator.add, lambda b, x, y: b.fadd(x, y, flags=["contract"]))
_operator(operator.sub, lambda b, x, y: b.fsub(x, y, flags=["contract"]))
_operator(operator.mul, lambda b, x, y: b.fmul(x, y, flags=["contract"]))
_operator(operator.truediv, lambda b, x, y: b.fdiv(x, y))


@intrinsic
def where_positive(typingctx: Any, condition: Any, yes: Any, no: Any) -> Any:
    """Return, lane by lane, `yes` where `condition` > 0 and `no` elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(args[0].type, None)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[1], args[2])

    return yes(condition, yes, no), codegen


@intrinsic
def where_less(typingctx: Any, left: Any, right: Any, yes: Any, no: Any) -> Any:
    """Return, lane by lane, `yes` where `left` < `right` and `no` elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return yes(left, right, yes, no), codegen
