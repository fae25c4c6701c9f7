"""The length of AWS's minutes of waiting: bake times, alarm periods, intervals of deliveries.

What a program measures, and how long a job may run, is real time.
"""

from dataclasses import dataclass

MINUTE = 60.0


@dataclass(frozen=True)
class Clock:
    minute_seconds: float = MINUTE  # real seconds for a minute of waiting

    def seconds(self, aws_seconds: float) -> float:
        """The real seconds for a time that AWS would wait."""
        return aws_seconds * self.minute_seconds / MINUTE


REAL = Clock()
