"""What can be wrong with an upload. The class name is what the state machine reads."""


class BadUpload(Exception):
    """Nothing usable was dropped: the message says where, what, and what to do next. Not worth a retry."""


class RefusedObject(Exception):
    """One object cannot be used; the others go on. The message is the object's verdict."""


class NoRows(RefusedObject):
    """There is nothing in the file but, at most, a header: no fault of a file of deletes."""
