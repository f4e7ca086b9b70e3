"""Keeps what was heard on a simulated call as WAV files."""

import asyncio
from pathlib import Path

from simulator.acs.audio import wav_of
from simulator.acs.tape import Tape, joined


async def keep_sound(tape: Tape, folder: Path) -> list[Path]:
    """Write ``call.wav`` with both sides, and one file for each utterance; replaces older ones."""
    files = {"call.wav": await joined(tape.pieces)}
    for number, piece in enumerate(tape.pieces, start=1):
        files[f"{number:02d}-{piece.side}.wav"] = await piece.sound()
    await asyncio.to_thread(_write, folder, files)
    return [folder / name for name in files]


def _write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pcm in files.items():
        (folder / name).write_bytes(wav_of(pcm))
