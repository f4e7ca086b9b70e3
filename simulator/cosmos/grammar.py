"""The part of the query language that the stand-in knows, as a syntax tree."""

from functools import lru_cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from simulator.cosmos.errors import QueryError, left_out

_GRAMMAR = r"""
query: _SELECT top? selection _FROM source where? order? window?
top: _TOP _count
selection: "*" -> star | _VALUE expression -> value | item ("," item)* -> items
item: expression [_AS? NAME]
source: NAME [_AS? NAME]
where: _WHERE expression
order: _ORDER _BY order_item ("," order_item)*
order_item: expression [DIRECTION]
window: _OFFSET _count _LIMIT _count
_count: NUMBER | PARAMETER

?expression: conjunction | expression _OR conjunction -> or_
?conjunction: negation | conjunction _AND negation -> and_
?negation: comparison | _NOT negation -> not_
?comparison: sum
    | sum COMPARISON sum -> compare
    | sum _IN "(" expression ("," expression)* ")" -> in_
    | sum _NOT _IN "(" expression ("," expression)* ")" -> not_in
    | sum _BETWEEN sum _AND sum -> between
?sum: product | sum (PLUS | MINUS | CONCAT) product -> arithmetic
?product: unary | product (STAR | SLASH | PERCENT) unary -> arithmetic
?unary: atom | MINUS unary -> negative
?atom: NUMBER -> number
    | STRING -> string
    | CONSTANT -> constant
    | PARAMETER -> parameter
    | path
    | NAME "(" [expression ("," expression)*] ")" -> call
    | "(" expression ")"
    | "[" [expression ("," expression)*] "]" -> array
    | "{" [pair ("," pair)*] "}" -> object
pair: (STRING | NAME) ":" expression
path: NAME (field | element)*
field: "." NAME
element: "[" (STRING | NUMBER) "]"

_SELECT.2: /SELECT\b/i
_TOP.2: /TOP\b/i
_VALUE.2: /VALUE\b/i
_FROM.2: /FROM\b/i
_AS.2: /AS\b/i
_WHERE.2: /WHERE\b/i
_ORDER.2: /ORDER\b/i
_BY.2: /BY\b/i
DIRECTION.2: /(ASC|DESC)\b/i
_OFFSET.2: /OFFSET\b/i
_LIMIT.2: /LIMIT\b/i
_OR.2: /OR\b/i
_AND.2: /AND\b/i
_NOT.2: /NOT\b/i
_IN.2: /IN\b/i
_BETWEEN.2: /BETWEEN\b/i
CONSTANT.2: /(true|false|null|undefined)\b/i
COMPARISON: "!=" | "<>" | "<=" | ">=" | "=" | "<" | ">"
PLUS: "+"
MINUS: "-"
CONCAT: "||"
STAR: "*"
SLASH: "/"
PERCENT: "%"
NUMBER: /(\d+(\.\d+)?|\.\d+)([eE][+-]?\d+)?/
STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/
PARAMETER: /@\w+/
NAME: /[A-Za-z_]\w*/
COMMENT: /--[^\n]*/
%import common.WS
%ignore WS
%ignore COMMENT
"""

# A word of the language is never a name: the service refuses `c.order` as this does. In brackets,
# as in c["order"], it is a string.
_parser = Lark(_GRAMMAR, parser="lalr", lexer="basic", start="query", propagate_positions=True)

_LEFT_OUT = frozenset(
    {"ALL", "ARRAY", "DISTINCT", "ESCAPE", "EXISTS", "GROUP", "HAVING", "JOIN", "LIKE", "RANK",
     "UDF"}
)  # fmt: skip


@lru_cache(maxsize=256)
def parse_query(text: str) -> Tree[Token]:
    """The syntax tree of a query.

    Raises:
        CosmosError: The service would not understand it, or the stand-in does not.
    """
    try:
        for token in _parser.lex(text):
            if token.type == "NAME" and token.upper() in _LEFT_OUT:
                raise left_out(f"the keyword {token.upper()}")
        return _parser.parse(text)
    except UnexpectedToken as err:
        token = err.token
        if token.type == "$END":
            raise QueryError("SC1010", "Syntax error, unexpected end of input.") from err
        place = (token.start_pos or 0, token.end_pos or 0)
        raise QueryError(
            "SC1001", f"Syntax error, incorrect syntax near '{token}'.", place
        ) from err
    except UnexpectedCharacters as err:
        start = err.pos_in_stream or 0
        place, character = (start, start + 1), text[start]
        message = f"Syntax error, invalid token '{character}'."
        raise QueryError("SC1012", message, place) from err
    except UnexpectedInput as err:
        raise QueryError("SC1001", "Syntax error.") from err
