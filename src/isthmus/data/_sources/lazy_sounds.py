"""Windows of sound files, read when they are needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isthmus.core.digests import Digest
from isthmus.data._sources.progress import track
from isthmus.data._sources.sounds import Clip, SoundForm, read_steps
from isthmus.data.streams import Source
from isthmus.errors import InputError


class SoundWindows(Source):
    """Windows ``(channels, length)`` of sound files, each read whenever it is asked for.

    Args:
        clips: the files.
        form: the rate and the channels that they are brought to.
        places: the file of each window, ``(n,)``, in order.
        starts: the step of it at which each begins, ``(n,)``.
        length: steps of a window.
    """

    is_costly = True

    def __init__(
        self,
        clips: Sequence[Clip],
        form: SoundForm,
        places: np.ndarray,
        starts: np.ndarray,
        length: int,
    ) -> None:
        self._clips, self._form = tuple(clips), form
        self._places, self._starts = places, starts
        self.shape, self.dtype = (len(places), form.channels, length), np.dtype(np.float32)

    def read(self, rows: np.ndarray) -> np.ndarray:
        windows = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for window, row in zip(windows, rows, strict=True):
            clip = self._clips[self._places[row]]
            window[:] = read_steps(clip, self._form, int(self._starts[row]), self.shape[2])
        return windows

    def read_all(self, *, skip_unreadable: bool = False) -> tuple[np.ndarray, list[int]]:
        """All windows, for which each file is read once; and the places of the files that cannot
        be read, which are refused unless they are to be skipped.
        """
        windows, unread = np.empty(self.shape, self.dtype), []
        length = self.shape[2]
        ends = np.searchsorted(self._places, np.arange(len(self._clips) + 1))
        for place, clip in enumerate(track(self._clips, "reading sounds")):
            try:
                whole = read_steps(clip, self._form, 0, max(len(clip), length))
            except InputError:
                if not skip_unreadable:
                    raise
                unread.append(place)
                continue
            for row in range(ends[place], ends[place + 1]):
                windows[row] = whole[:, self._starts[row] : self._starts[row] + length]
        return windows, unread

    def fingerprint(self) -> str:
        digest = Digest()
        digest.add_array(np.stack([self._places, self._starts]))
        for clip in self._clips:
            digest.add_text(f"{clip.file.name} {clip.start} {clip.stop} {self._form}")
            digest.add_file(clip.file.path)
        return str(digest)
