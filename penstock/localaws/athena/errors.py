"""How a statement fails, in Athena's words."""


class Malformed(Exception):
    """Athena refuses the statement at once: StartQueryExecution answers InvalidRequestException."""


class QueryFailed(Exception):
    """The execution ends as FAILED with this StateChangeReason."""


def position(sql: str, offset: int) -> str:
    """`line 1:8`, counted from one, of a place in the text."""
    before = sql[:offset]
    return f"line {before.count(chr(10)) + 1}:{offset - before.rfind(chr(10))}"
