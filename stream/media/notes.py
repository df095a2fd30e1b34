"""What the user should know about a run, said once each."""

from __future__ import annotations


class Notes(list[str]):
    """A list of sentences without full stop."""

    def say(self, text: str) -> None:
        """Adds a sentence unless it was said before."""
        if text not in self:
            self.append(text)
