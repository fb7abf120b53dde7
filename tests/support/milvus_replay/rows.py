"""Rows as pymilvus sends and reads them, and the filter expressions that Sightline writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymilvus.grpc_gen import common_pb2, schema_pb2

Row = dict[str, Any]
_LEVELS = (ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare)
_LEAVES = (ast.Name, ast.Load, ast.Constant, ast.List, ast.Call)
_OPERATORS = (ast.In, ast.NotIn, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)

#: ``field like "pattern"``, the one operator of these that Python has no word for.
_LIKE = re.compile(r'(\w+) like ("(?:[^"\\]|\\.)*")')


class FilterRefused(ValueError):
    """A filter that the server cannot read, with the answer that says so."""


def decode_rows(fields: Iterable[Any], count: int) -> list[Row]:
    """Return the rows of an insert's or upsert's columns."""
    columns = {field.field_name: _decode(field) for field in fields}
    return [{name: column[row] for name, column in columns.items()} for row in range(count)]


def encode_columns(
    rows: Sequence[Row], names: Sequence[str], schema: schema_pb2.CollectionSchema
) -> list[schema_pb2.FieldData]:
    """Return the columns of a query's or a search's answer."""
    kinds = {field.name: field for field in schema.fields}
    return [_encode([row[name] for row in rows], kinds[name]) for name in names]


def passing(rows: Iterable[Row], expression: str) -> list[Row]:
    """Return the rows that pass an expression of Milvus's; raises FilterRefused."""
    if not expression.strip():
        return list(rows)
    # The parts of the language that Sightline uses are Python's, but for these.
    text = expression.replace("&&", " and ").replace("||", " or ")
    text = _LIKE.sub(r"like(\1, \2)", text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        raise FilterRefused("filter_syntax") from None
    if not all(isinstance(node, _LEVELS + _LEAVES + _OPERATORS) for node in ast.walk(tree)):
        raise FilterRefused("filter_unsupported")
    if isinstance(tree.body, ast.Constant | ast.Name | ast.List):
        raise FilterRefused("filter_not_boolean")
    code = compile(tree, "filter", "eval")
    functions = {
        "array_contains": lambda array, value: value in array,
        "like": _is_like,
        "__builtins__": {},
    }
    try:
        return [row for row in rows if eval(code, functions, row)]
    except (NameError, TypeError):
        raise FilterRefused("filter_syntax") from None


def _is_like(value: str, pattern: str) -> bool:
    parts = re.escape(pattern).replace("%", ".*").replace("_", ".")
    return re.fullmatch(parts, value, re.DOTALL) is not None


def query_vectors(group: bytes) -> NDArray[Any]:
    """Return the vectors that a search sends: (n, dim) as float32, or (n, dim / 8) packed bits."""
    parsed = common_pb2.PlaceholderGroup()
    parsed.ParseFromString(group)
    [sent] = parsed.placeholders
    kind = np.uint8 if sent.type == common_pb2.PlaceholderType.BinaryVector else np.float32
    return np.stack([np.frombuffer(value, dtype=kind) for value in sent.values])


def distances(queries: NDArray[Any], vectors: NDArray[Any], metric: str) -> NDArray[np.float32]:
    """Return the distances (n, rows) by a metric of Milvus's, as Milvus gives them."""
    if metric == "HAMMING":
        differing = np.unpackbits(queries[:, None] ^ vectors[None], axis=2)
        counts: NDArray[np.float32] = differing.sum(axis=2).astype(np.float32)
        return counts
    if metric == "L2":
        squared: NDArray[np.float32] = ((queries[:, None] - vectors[None]) ** 2).sum(axis=2)
        return squared
    if metric == "COSINE":
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    products: NDArray[np.float32] = queries @ vectors.T
    return products


def _decode(field: schema_pb2.FieldData) -> list[Any]:
    if field.type in (schema_pb2.FloatVector, schema_pb2.BinaryVector):
        dim = field.vectors.dim
        if field.type == schema_pb2.BinaryVector:
            flat = np.frombuffer(field.vectors.binary_vector, dtype=np.uint8)
            return list(flat.reshape(-1, dim // 8))
        return list(np.array(field.vectors.float_vector.data, dtype=np.float32).reshape(-1, dim))
    scalars = field.scalars
    if field.type == schema_pb2.Array:
        doubles = scalars.array_data.element_type == schema_pb2.Double
        return [
            list((item.double_data if doubles else item.string_data).data)
            for item in scalars.array_data.data
        ]
    return list(getattr(scalars, scalars.WhichOneof("data")).data)


def _encode(values: Sequence[Any], kind: schema_pb2.FieldSchema) -> schema_pb2.FieldData:
    field = schema_pb2.FieldData(type=kind.data_type, field_name=kind.name, field_id=kind.fieldID)
    match kind.data_type:
        case schema_pb2.FloatVector:
            field.vectors.dim = len(values[0]) if values else 1
            if values:
                field.vectors.float_vector.data.extend(np.concatenate(values).tolist())
        case schema_pb2.Array:
            field.scalars.array_data.element_type = kind.element_type
            for value in values:
                item = field.scalars.array_data.data.add()
                doubles = kind.element_type == schema_pb2.Double
                (item.double_data if doubles else item.string_data).data.extend(value)
        case schema_pb2.Int64:
            field.scalars.long_data.data.extend(values)
        case _:
            field.scalars.string_data.data.extend(values)
    return field
