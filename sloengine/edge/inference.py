"""A model on a node, and one request to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Token
from datetime import datetime
from functools import wraps
from inspect import iscoroutinefunction
from time import perf_counter, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, ParamSpec, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags

from . import contract
from .contract import DropReason
from .events import Details, Events
from .ledger import Ledger, Series, guarded
from .predictions import Prediction, Predictions
from .segments import Segments

if TYPE_CHECKING:
    from .node import Pipeline

P = ParamSpec("P")
T = TypeVar("T")

# Exactly zero would send the SDK's exponential histogram to scale 0 for the rest of the process: buckets that are a
# factor of two wide.
_SHORTEST_S = 1e-9
_UNSAMPLED = TraceFlags(TraceFlags.RANDOM_TRACE_ID)


class Identity(NamedTuple):
    name: str
    version: str
    rollout: str | None
    wave: str | None

    def attributes(self) -> dict[str, str]:
        keys = (contract.MODEL_NAME, contract.MODEL_VERSION, contract.ROLLOUT_ID, contract.ROLLOUT_WAVE)
        return {key: value for key, value in zip(keys, self, strict=True) if value is not None}


class Outcome(NamedTuple):
    """What one request with this outcome (and error type) adds to, bound beforehand."""

    requests: Series
    attempts: Series
    attributes: dict[str, str]


class Model:
    """One version of a model on a node; made by `Node.model`. Safe to use from several threads."""

    def __init__(self, identity: Identity, pipeline: Pipeline) -> None:
        self._identity = identity
        self.bind(pipeline)

    def bind(self, pipeline: Pipeline) -> None:
        """Send to `pipeline` from now on: the node's first, and a fresh one in a forked process."""
        self._pipeline = pipeline
        self.ledger: Ledger = pipeline.ledger
        self._attributes = self._identity.attributes()
        self._outcomes: dict[str | None, Outcome] = {}
        self._error_types: set[str] = set()
        self._durations = {kind: self._with(contract.OUTCOME, kind) for kind in (contract.SUCCESS, contract.FAILURE)}
        self._labels: dict[str | None, dict[str, str]] = {None: self._attributes}
        self._cold_starts = self._count(contract.COLD_STARTS)
        self._failed_attempts = self._count(contract.ATTEMPTS, (contract.OUTCOME, contract.FAILURE))
        self._raw = self._count(contract.DATA_RAW)
        self._sent = self._count(contract.DATA_SENT)
        self._events = Events(pipeline.logger, self.ledger, self._attributes)
        self._segments = Segments(self.ledger)
        self._predictions = Predictions(
            pipeline.logger, self.ledger, self._attributes, self._segments, pipeline.prediction_ratio
        )
        self._outcome(None)

    def inference(self) -> Call:
        """One request, as a context manager; leaving it ends the request."""
        return Call(self)

    def instrument(self, function: Callable[P, T]) -> Callable[P, T]:
        """Decorator: every call of `function`, plain or `async`, is one request."""
        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self.inference():
                    return await function(*args, **kwargs)

            return cast("Callable[P, T]", awaited)

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.inference():
                return function(*args, **kwargs)

        return called

    @guarded
    def loaded(self, duration_s: float) -> None:
        """The model was loaded in `duration_s` seconds."""
        self._count(contract.LOADS, (contract.OUTCOME, contract.SUCCESS)).add()
        seconds = self.ledger.number(duration_s, 0, float("inf"))
        details = {} if seconds is None else {"edge.model.load_duration_s": seconds}
        self._events.emit(contract.LOADED, SeverityNumber.INFO, details)

    @guarded
    def load_failed(self, error: BaseException | str) -> None:
        """The model could not be loaded; an exception counts under its class name."""
        kind = self._error_type(error)
        self._count(contract.LOADS, (contract.OUTCOME, contract.FAILURE), (contract.ERROR_TYPE, kind)).add()
        self._events.emit(contract.LOAD_FAILED, SeverityNumber.ERROR, {contract.ERROR_TYPE: kind})

    @guarded
    def integrity(
        self,
        ok: bool,
        *,
        hash: str | None = None,
        expected: str | None = None,
        path: object = None,
        signer: str | None = None,
    ) -> None:
        """A signature or checksum check of the model's files; a failed one is also an event."""
        result = "ok" if ok else "failed"
        self._count(contract.INTEGRITY_CHECKS, (contract.INTEGRITY_RESULT, result)).add()
        if ok:
            return
        given = {
            "artifact.hash": hash,
            "artifact.path": path,
            "edge.integrity.expected_hash": expected,
            "edge.integrity.signer": signer,
        }
        known = {key: text for key, value in given.items() if (text := self.ledger.text(value)) is not None}
        self._events.emit(contract.INTEGRITY_FAILED, SeverityNumber.ERROR, known)

    @guarded
    def data(self, *, raw: int = 0, sent: int = 0) -> None:
        """Bytes taken in for inference, and bytes uploaded from here."""
        for series, given in ((self._raw, raw), (self._sent, sent)):
            size = self.ledger.number(given, 0, contract.BYTES_PER_CALL_MAX)
            if size is not None:
                series.add(int(size))

    @guarded
    def label(self, prediction_id: str, truth: str | int, *, source: str = "", at: datetime | None = None) -> None:
        """What a prediction should have been, known later; sent if the prediction's record was.

        `source` says who knows (an operator, a sensor); `at` is when it was known, an aware time, now if not given.
        """
        self._predictions.label(prediction_id, truth, source, at)

    def _with(self, *pairs: str) -> dict[str, str]:
        return self._attributes | dict(zip(pairs[::2], pairs[1::2], strict=True))

    def _count(self, name: str, *pairs: tuple[str, str]) -> Series:
        return self.ledger.series(name, self._attributes | dict(pairs))

    def _outcome(self, error_type: str | None) -> Outcome:
        found = self._outcomes.get(error_type)
        if found is None:
            kind = contract.SUCCESS if error_type is None else contract.FAILURE
            error = () if error_type is None else ((contract.ERROR_TYPE, error_type),)
            found = self._outcomes[error_type] = Outcome(
                self._count(contract.REQUESTS, (contract.OUTCOME, kind), *error),
                self._count(contract.ATTEMPTS, (contract.OUTCOME, kind)),
                self._durations[kind],
            )
        return found

    def _error_type(self, error: object) -> str:
        """The value of `error.type`: bounded in length and in number of different values."""
        if isinstance(error, BaseException):
            error = type(error)
        kind = self.ledger.text(error.__name__ if isinstance(error, type) else error) or contract.OTHER
        if kind in self._error_types:
            return kind
        if len(self._error_types) >= contract.ERROR_TYPES_MAX:
            self.ledger.drop(DropReason.TOO_MANY_VALUES)
            return contract.OTHER
        self._error_types.add(kind)
        return kind

    def _label_attributes(self, label: str | None) -> dict[str, str]:
        found = self._labels.get(label)
        if found is None and label is not None:
            if len(self._labels) > contract.LABELS_MAX:
                self.ledger.drop(DropReason.TOO_MANY_VALUES)
                label = contract.OTHER
            found = self._labels[label] = self._with(contract.LABEL, label)
        return found or self._attributes

    def _open(self, started_unix_ns: int) -> tuple[Span, Token[Context]]:
        """A span for a request that starts now, made current; the cheap kind when it will not be kept."""
        pipeline = self._pipeline
        if not pipeline.uplink.running:
            pipeline.uplink.start()
        span = self._unsampled_root(pipeline) or pipeline.tracer.start_span(
            contract.SPAN, attributes=cast("dict[str, Any]", self._attributes), start_time=started_unix_ns
        )
        return span, otel_context.attach(trace.set_span_in_context(span))

    def _unsampled_root(self, pipeline: Pipeline) -> Span | None:
        """None where the tracer has to decide: a kept root, or the child of a span."""
        if trace.get_current_span() is not trace.INVALID_SPAN:
            return None
        trace_id = pipeline.ids.new_trace_id()
        if pipeline.sampler.keeps_root(trace_id):
            pipeline.ids.announce(trace_id)
            return None
        return NonRecordingSpan(SpanContext(trace_id, pipeline.ids.generate_span_id(), False, _UNSAMPLED))

    def _record(self, seconds: float, attempts: int, error_type: str | None, cold: bool) -> None:
        outcome = self._outcome(error_type)
        outcome.requests.add()
        outcome.attempts.add()
        if attempts > 1:
            self._failed_attempts.add(attempts - 1)
        if cold:
            self._cold_starts.add()
        self._pipeline.duration.record(max(seconds, _SHORTEST_S), outcome.attributes)

    def _record_score(self, score: float, label: str | None, segments: dict[str, str]) -> None:
        self._pipeline.score.record(score, self._label_attributes(label) | self._segments.series(segments))

    def _failed(self, error_type: str, attempts: int) -> None:
        details: Details = {contract.ERROR_TYPE: error_type, contract.ATTEMPTS_OF_SPAN: attempts}
        self._events.emit(contract.INFERENCE_FAILED, SeverityNumber.WARN, details)


class Call:
    """One request: its first attempt starts with the `with` block, its outcome is known when the block is left."""

    __slots__ = (
        "_attempts",
        "_cold",
        "_error",
        "_label",
        "_model",
        "_open",
        "_prediction",
        "_score",
        "_segments",
        "_span",
        "_started_s",
        "_started_unix_ns",
        "_token",
    )

    def __init__(self, model: Model) -> None:
        self._model = model
        self._open = False
        self._prediction: Prediction | None = None

    @property
    def ledger(self) -> Ledger:
        return self._model.ledger

    def __enter__(self) -> Call:
        self._attempts = 1
        self._cold = False
        self._error: str | None = None
        self._score: float | None = None
        self._label: str | None = None
        self._segments: dict[str, str] = {}
        self._prediction = None
        self._span: Span = trace.INVALID_SPAN
        self._token: Token[Context] | None = None
        self._open = True
        self._started_unix_ns = time_ns()
        self._begin()
        self._started_s = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        if self._open:
            self._end(perf_counter() - self._started_s, kind)
        self._open = False
        return False

    @guarded
    def attempt(self) -> None:
        """The attempt so far failed and another one starts. Not needed for the first."""
        if self._is_open():
            self._attempts += 1
            self._error = None

    @guarded
    def score(
        self, value: float, label: str | int | None = None, *, segments: Mapping[str, str | int] | None = None
    ) -> None:
        """Score in [0, 1] of a prediction, and the class predicted; once for each of several predictions.

        `segments` says where it was made, in a few named parts, so that drift in one of them is seen: each combination is a
        series of its own, the record has them too.
        """
        score = self.ledger.number(value, 0.0, 1.0)
        if score is None or not self._is_open():
            return
        self._score = score
        self._label = self.ledger.text(label)
        self._segments = self._model._segments.attributes(segments)
        self._model._record_score(score, self._label, self._segments)

    @property
    def prediction_id(self) -> str:
        """The id of this request's prediction, to remember for its label; made here if the application gave none."""
        return self._said().id

    @guarded
    def record(
        self,
        id: str | int | None = None,
        *,
        label: str | int | None = None,
        truth: str | int | None = None,
        segments: Mapping[str, str | int] | None = None,
    ) -> None:
        """What this request's prediction record says beside score and label: the last given of each counts.

        `id` is the application's own name of the prediction, unique; `label` the class predicted where there is no score;
        `truth` the right one where it is known at once; `segments` where it was made, if that is not for its score to say.
        """
        if not self._is_open():
            return
        said = self._said()
        said.id = self.ledger.text(id) or said.id
        said.label = said.label if label is None else label
        said.truth = said.truth if truth is None else truth
        said.segments = said.segments if segments is None else segments

    @guarded
    def cold_start(self) -> None:
        """This request waited for the model to be loaded."""
        self._cold = self._is_open()

    @guarded
    def fail(self, error_type: str | BaseException) -> None:
        """The request failed without an exception leaving the block (unless `attempt` follows)."""
        if self._is_open():
            self._error = self._model._error_type(error_type)

    def _said(self) -> Prediction:
        if self._prediction is None:
            self._prediction = Prediction(self._model._pipeline.ids.new_prediction_id())
        return self._prediction

    def _is_open(self) -> bool:
        if not self._open:
            self.ledger.drop(DropReason.OUTSIDE_CALL)
        return self._open

    @guarded
    def _begin(self) -> None:
        self._span, self._token = self._model._open(self._started_unix_ns)

    @guarded
    def _end(self, seconds: float, kind: type[BaseException] | None) -> None:
        try:
            if kind is not None:
                self._error = self._model._error_type(kind)
            self._model._record(seconds, self._attempts, self._error, self._cold)
            if self._error is not None:
                self._model._failed(self._error, self._attempts)
            if self._span.is_recording():
                self._end_span(seconds)
            if self._model._predictions.on and self._error is None:
                self._send_prediction()
        finally:
            # Left in another context than it was entered in (an abandoned async generator): not ours to take down.
            if self._token is not None and trace.get_current_span() is self._span:
                otel_context.detach(self._token)

    def _send_prediction(self) -> None:
        if self._score is None and self._label is None and self._prediction is None:
            return
        said, predictions = self._said(), self._model._predictions
        if predictions.keeps(said.id):
            said.label = self._label if said.label is None else said.label
            predictions.record(said, self._score, self._segments, self._started_unix_ns)

    def _end_span(self, seconds: float) -> None:
        span = self._span
        span.set_attribute(contract.OUTCOME, contract.SUCCESS if self._error is None else contract.FAILURE)
        span.set_attribute(contract.ATTEMPTS_OF_SPAN, self._attempts)
        span.set_attribute(contract.COLD_START, self._cold)
        if self._score is not None:
            span.set_attribute(contract.SCORE_OF_SPAN, self._score)
        if self._label is not None:
            span.set_attribute(contract.LABEL, self._label)
        if self._error is not None:
            span.set_attribute(contract.ERROR_TYPE, self._error)
            span.set_status(Status(StatusCode.ERROR))
        # Not the wall clock: it may have been set in between, and the span would end before it started.
        span.end(self._started_unix_ns + round(seconds * 1e9))
