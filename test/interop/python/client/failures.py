class Refused(Exception):
    """A request was refused at a step."""

    def __init__(self, step: str) -> None:
        super().__init__(f"refused: {step}")
        self.step = step


class Untrusted(Exception):
    """An answer was found, at a step, not to be the deployment's."""

    def __init__(self, step: str) -> None:
        super().__init__(f"the answer cannot be trusted: {step}")
        self.step = step
