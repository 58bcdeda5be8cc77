"""A group of background tasks that is ended and awaited as one; a failure of one ends no other."""

import asyncio
from collections.abc import Coroutine

import structlog

__all__ = ["TaskSet"]

_log = structlog.get_logger(__name__)


class TaskSet:
    """Tasks that live until they are done or the set is closed."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[None, None, None], name: str) -> "asyncio.Task[None]":
        """Start a task. An exception that it lets escape is a bug and is logged whole."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finish)
        return task

    def _finish(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task failed", task=task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel every task and wait until all are done."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
