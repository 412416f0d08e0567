"""The base of all errors that a user can fix, and the sandbox's own."""


class QprobeError(Exception):
    """The base of every error that a user can fix; its message is one sentence that says what to do."""


class SandboxError(QprobeError):
    """The sandbox cannot be used: no engine answers, an image is missing, a limit cannot be granted."""
