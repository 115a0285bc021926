"""Code tables: what a provider's code says, one table a profile.

Codes are text and are never read as numbers: leading zeros, hexadecimal and composites occur. The
same code means different things at different providers, so a source names its profile.
"""

from streams.codes.advice import differences, explain
from streams.codes.builtin import PARENTS, SUBMIT, profiles, table
from streams.codes.code_table import (
    CLASSES,
    MAX_CODE_LENGTH,
    NO_FAULT_CLASS,
    PERMANENCES,
    SIDES,
    CodeRow,
    CodeTable,
)
from streams.codes.own import BUILT_IN, CodeBook, family

__all__ = [
    "BUILT_IN",
    "CLASSES",
    "MAX_CODE_LENGTH",
    "NO_FAULT_CLASS",
    "PARENTS",
    "PERMANENCES",
    "SIDES",
    "SUBMIT",
    "CodeBook",
    "CodeRow",
    "CodeTable",
    "differences",
    "explain",
    "family",
    "profiles",
    "table",
]
