"""Plays the media queue of one call: speaks the prompts and listens to the caller."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from simulator.acs import results
from simulator.acs.calls import SimCall
from simulator.acs.courier import Courier
from simulator.acs.errors import Json
from simulator.acs.media import Operation, Play, Recognize, RecognizeOptions, Source
from simulator.acs.pace import Pace
from simulator.acs.recognition import judge, may_cut_prompt
from simulator.acs.results import Result
from simulator.acs.script import HangUp, Mumble, Press, Say, Stay, Step
from simulator.acs.tape import Clip, Piece, duration_s
from simulator.acs.tasks import TaskSet
from simulator.acs.voicebox import Utterance, Voicebox


@dataclass(frozen=True, slots=True)
class Studio:
    """What every player works with; *fetch* gives the PCM of a sound file."""

    pace: Pace
    courier: Courier
    tasks: TaskSet
    fetch: Callable[[str], Awaitable[bytes | Result]]
    voicebox: Voicebox


class Player:
    """Works off the queue of one call, one operation at a time."""

    def __init__(self, call: SimCall, studio: Studio) -> None:
        self._call = call
        self._phone = call.phone
        self._studio = studio
        self._pace = studio.pace
        self._work: asyncio.Task[None] | None = None
        self._piece: Piece | None = None

    def submit(self, operation: Operation) -> None:
        """Queue *operation*; one that interrupts pushes everything else aside."""
        self._called_off(self._call.media.add(operation))
        self._advance()

    def cancel_all(self) -> None:
        """Call off what runs and what waits."""
        self._called_off(self._call.media.cancel_all())

    def close(self) -> None:
        """The call is over: everything stops and nothing is told."""
        for operation in self._call.media.cancel_all():
            self._cut(operation)
        if self._work is not None:
            self._work.cancel()

    def _called_off(self, canceled: list[Operation]) -> None:
        if canceled and self._work is not None:
            self._work.cancel()
        for operation in canceled:
            self._cut(operation)
            self._emit(operation, operation.canceled_event, results.MEDIA_CANCELED)

    def _cut(self, operation: Operation) -> None:
        if operation.heard_as is not None:
            self._phone.cut(operation.heard_as)
            operation.heard_as = None
            if self._piece is not None:
                self._piece.cut()

    def _advance(self) -> None:
        operation = self._call.media.start_next()
        if operation is not None:
            self._work = self._studio.tasks.spawn(self._perform(operation))

    def _finish(
        self, operation: Operation, name: str, result: Result, extra: Json | None = None
    ) -> None:
        if self._call.media.finish(operation):
            self._emit(operation, name, result, extra)
            self._advance()

    def _emit(
        self, operation: Operation, name: str, result: Result, extra: Json | None = None
    ) -> None:
        self._studio.courier.emit(self._call, name, result, operation.origin, extra)

    async def _perform(self, operation: Operation) -> None:
        clips = await self._clips(operation)
        if isinstance(clips, tuple):
            index, problem = clips
            result = problem if isinstance(operation, Play) else results.PROMPT_FAILED
            extra = {"failedPlaySourceIndex": index}
            self._finish(operation, operation.failed_event, result, extra)
        elif isinstance(operation, Play):
            await self._play(operation, clips)
        else:
            await self._recognize(operation, clips)

    async def _clips(self, operation: Operation) -> list[Clip] | tuple[int, Result]:
        """What the caller is going to hear; or which source fails, and how."""
        clips = []
        for index, source in enumerate(operation.sources):
            clip = await self._clip(source)
            if isinstance(clip, Result):
                return index, clip
            clips.append(clip)
        return clips

    async def _clip(self, source: Source) -> Clip | Result:
        if source.problem is not None:
            return source.problem
        if source.file_uri is None:
            return Clip(source.text, self._pace.speaking_s(source.text))
        pcm = await self._studio.fetch(source.file_uri)
        if isinstance(pcm, Result):
            return pcm
        return Clip(self._studio.voicebox.caption(pcm) or source.text, duration_s(pcm), pcm)

    def _begin(self, operation: Operation, clips: list[Clip]) -> float:
        """The caller hears it from now on; returns for how long (unscaled)."""
        total_s = sum(clip.length_s for clip in clips)
        text = " ".join(clip.text for clip in clips)
        operation.heard_as = self._phone.hear(text, operation.origin.operation_context)
        self._piece = self._phone.tape.begin("agent", clips, lasts_s=self._pace.scaled_s(total_s))
        if self._studio.voicebox.is_audible:
            # Beside the prompt, not before it: the caller's silence is the app's, not this voice's.
            self._piece.rendering = self._studio.tasks.spawn(self._render(self._piece))
        self._emit(operation, "PlayStarted", results.MEDIA_OK)
        return total_s

    async def _render(self, piece: Piece) -> None:
        for index, clip in enumerate(piece.clips):
            if clip.pcm is None:
                pcm = await self._studio.voicebox.render(clip.text)
                piece.clips[index] = replace(clip, pcm=pcm)

    async def _play(self, operation: Play, clips: list[Clip]) -> None:
        length_s = self._begin(operation, clips)
        await self._sleep(length_s)
        while operation.loop:
            # The floor keeps an empty loop from spinning.
            await self._sleep(max(length_s, 1.0))
        operation.heard_as = None
        self._finish(operation, "PlayCompleted", results.MEDIA_OK)

    async def _recognize(self, operation: Recognize, clips: list[Clip]) -> None:
        step = await self._prompt(operation, clips) if operation.sources else None
        has_cut_in = step is not None
        if step is None:
            step = await self._noticed(operation.options)
        if isinstance(step, HangUp):
            self._phone.act(step)
            return
        utterance = None
        if step is not None:
            utterance = await self._act(step, is_prompt=has_cut_in)
        end_silence_s = self._pace.end_silence_ms / 1000
        verdict = judge(operation.options, step, end_silence_s=end_silence_s, utterance=utterance)
        if step is not None or not verdict.is_silence:
            await self._sleep(verdict.silence_s)
        if verdict.is_silence:
            self._phone.silent_for(verdict.silence_s)
        if verdict.result.is_success:
            self._phone.recognized()
        name = "RecognizeCompleted" if verdict.result.is_success else "RecognizeFailed"
        self._finish(operation, name, verdict.result, verdict.extra)

    async def _noticed(self, options: RecognizeOptions) -> Step | None:
        """What the caller does within the time there is; where only keys count, words pass by."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._pace.scaled_s(options.initial_silence_s)
        while True:
            step = await self._reaction(max(0.0, ends_at - loop.time()))
            if options.takes_speech or not isinstance(step, Say | Mumble):
                return step
            await self._act(step, is_prompt=False)

    async def _prompt(self, operation: Recognize, clips: list[Clip]) -> Step | None:
        """Speak the prompt; returns what the caller did if that ended it early."""
        length_s = self._begin(operation, clips)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._pace.scaled_s(length_s)
        self._phone.reaction()
        if self._phone.is_scripted:
            # Someone who cuts in has heard half of it.
            await self._sleep(length_s / 2)
        step = await self._reaction(max(0.0, ends_at - loop.time()))
        if step is not None and may_cut_prompt(operation.options, step):
            self._cut(operation)
            return step
        await asyncio.sleep(max(0.0, ends_at - loop.time()))
        operation.heard_as = None
        return None

    async def _reaction(self, timeout_s: float) -> Step | None:
        """What the caller does, or None if they have not made up their mind (real seconds)."""
        reaction = self._phone.reaction()
        await asyncio.wait({reaction}, timeout=timeout_s)
        if not reaction.done():
            return None
        if not reaction.cancelled() and reaction.exception() is not None:
            # A responder that breaks must not leave the line open for ever.
            self._phone.hang_up()
        return reaction.result()

    async def _act(self, step: Step, *, is_prompt: bool) -> Utterance | None:
        """The caller does *step*; who decides live has taken their time already."""
        is_scripted = self._phone.is_scripted
        if is_scripted and not is_prompt and not isinstance(step, Stay):
            await self._sleep(self._pace.reaction_ms / 1000)
        self._phone.act(step)
        if isinstance(step, Say):
            return await self._say(step.text)
        if isinstance(step, Press):
            for name in step.names:
                await self._sleep(self._pace.tone_ms / 1000)
                self._tone(name)
        return None

    async def _say(self, text: str) -> Utterance:
        """The caller speaks, and the service listens meanwhile; slow ears take longer than that."""
        began_at = time.monotonic()
        utterance = await self._studio.voicebox.utter(text)
        spoken_s = self._pace.speaking_s(text)
        if utterance.pcm is not None:
            spoken_s = duration_s(utterance.pcm)
        lasts_s = self._pace.scaled_s(spoken_s)
        clip = Clip(text, spoken_s, utterance.pcm)
        self._phone.tape.begin("caller", [clip], lasts_s=lasts_s, at=began_at)
        if self._phone.is_scripted:
            await asyncio.sleep(max(0.0, began_at + lasts_s - time.monotonic()))
        if utterance.pcm is not None:
            self._phone.understood(utterance)
        return utterance

    def _tone(self, name: str) -> None:
        if (continuous := self._call.continuous) is None:
            return
        continuous.sequence_id += 1
        self._studio.courier.emit(
            self._call,
            "ContinuousDtmfRecognitionToneReceived",
            results.TONE_RECEIVED,
            continuous.origin,
            {"sequenceId": continuous.sequence_id, "tone": name},
        )

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(self._pace.scaled_s(seconds))
