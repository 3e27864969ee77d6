"""Where a subscriber stands in the event feed: which event is next, what arrived ahead of its turn, and when the
engine has to be asked. Nothing here knows a socket or a clock; times are seconds of any one clock.

Events come by two ways: the feeds' messages, fast but perhaps lost, doubled or out of order, and pages that the
engine is asked for. Both are put behind one number, the position: an event is handed out when it is the next after
it, or when a page says that nothing of the topics asked for lies between."""

import bisect
import collections

from ._tables import Internal, InvalidRequest
from ._wire import _is_integer, _unpack

PAGE_EVENTS = 1000  # asked for at a time: the engine's bound
ARRIVED_MAX = 4096  # events kept ahead of their turn ...
ARRIVED_BYTES_MAX = 8 * 1024 * 1024  # ... and their bytes on the wire
RETRY, RETRY_MAX = 0.05, 2.0
# A leader commits before it publishes, so that for a moment a tip may end before what was read. Not for so long.
TIPS_BELOW_MAX = 3
TIPS_STALE_MAX = 5


class Follow:
    """One subscriber's place. ``after``: the last number that was had; None: only what is new."""

    def __init__(self, after, topics, silence, now):
        if after is not None and (not _is_integer(after) or after < 0):
            raise InvalidRequest("after: a number of 0 or more, or None")
        self.topics = frozenset(topics)
        self.silence = silence
        self.epoch = 0
        self.heard = now  # when a feed was last heard, or a read was answered
        self.counts = collections.Counter()
        self.resume(after)

    def resume(self, after):
        """Forgets what is at hand and goes on after another number."""
        self.position = after
        self.newest = 0  # the highest number heard of
        self.tip = 0
        self.is_unsure = True  # nothing said so far how far the feed goes
        self.failures = 0  # reads in a row that failed, or brought nothing of what is missing
        self.read_at = 0.0  # the engine is not asked before
        self.tips_below = 0  # tips in a row that end before the position
        self.tips_stale = 0  # tips in a row of an older epoch
        self._order = []  # the numbers of those that arrived
        self._arrived = {}  # number -> (event, or None where nobody asked for the topic; its bytes on the wire)
        self._arrived_bytes = 0
        self._page = collections.deque()
        self._page_after = None

    # What comes in

    def message(self, frames, now):
        """A message of a feed."""
        self.counts["received"] += 1
        try:
            topic, body = frames
            fields = _unpack(body)
            taken = self._take_tip(fields) if topic == b"tip" else self._take_event(topic.decode(), fields, len(body))
        except Exception:  # bytes that are not MessagePack raise a dozen kinds
            taken = False
        if taken:
            self.heard = now
        else:
            self.counts["garbage"] += 1

    def _take_tip(self, tip):
        """The newest number that a leader has published. One of an older epoch was asleep, and knows nothing; if it
        goes on and on, then it leads an engine that was restored."""
        number, epoch = tip["number"], tip["epoch"]
        if not _is_integer(number) or not _is_integer(epoch) or number < 0:
            return False
        if epoch < self.epoch:
            self.tips_stale += 1
            if self.tips_stale < TIPS_STALE_MAX:
                return True
        if epoch != self.epoch:
            self.tips_below = 0
        self.tips_stale = 0
        self.epoch = epoch
        self.tip = number
        self.newest = max(self.newest, number)
        if number == self.position:
            self.is_unsure = False
        self.tips_below = self.tips_below + 1 if self.position is not None and number < self.position else 0
        return True

    def _take_event(self, topic, event, size):
        number = event["number"]
        if not topic or not _is_integer(number) or number < 1:
            return False
        self.newest = max(self.newest, number)
        if number in self._arrived or (self.position is not None and number <= self.position):
            self.counts["repeated"] += 1
            return True
        if self.topics and topic not in self.topics:
            event, size = None, 0
        self._keep(number, event, size)
        return True

    def _keep(self, number, event, size):
        """Puts an event among those that arrived. Beyond the bound those that come first are dropped: they are read,
        and by then the others follow without a gap."""
        while self._order and (
            len(self._order) >= ARRIVED_MAX or self._arrived_bytes + size > ARRIVED_BYTES_MAX
        ):
            self._take_arrived()
            self.counts["dropped"] += 1
        bisect.insort(self._order, number)
        self._arrived[number] = (event, size)
        self._arrived_bytes += size

    def _take_arrived(self):
        """Takes the first of those that arrived."""
        number = self._order.pop(0)
        event, size = self._arrived.pop(number)
        self._arrived_bytes -= size
        return number, event

    def page(self, result, now):
        """An answer to events.read."""
        events, after, last = (result.get(name) for name in ("events", "after", "last"))
        if not isinstance(events, list) or not _is_integer(after) or not _is_integer(last) or after < 0:
            self.read_failed(now)
            raise Internal("the answer to events.read has no events, after and last")
        self._page = collections.deque(events)
        self._page_after = after
        self.newest = max(self.newest, last)
        self.is_unsure = False
        self.heard = now
        # Nothing of what is missing: whoever answered does not have it yet.
        if self.position is None or after > self.position:
            self.failures = 0
        elif self.has_gap():
            self.read_failed(now)

    def read_failed(self, now):
        """It could not be read. Not at once again: twice as long after every time that was of no use."""
        self.read_at = now + min(RETRY * 2 ** min(self.failures, 10), RETRY_MAX)
        self.failures += 1

    # What goes out

    def next(self):
        """The next event, a dict, where it is at hand; else None."""
        event = self._next_of_page() or self._next_arrived()
        if event is not None:
            self.failures = 0
            self.counts["delivered"] += 1
        return event

    def _next_of_page(self):
        """The next event of the page; at its end the position moves to where it reached."""
        while self._page:
            event = self._page.popleft()
            number = event.get("number") if isinstance(event, dict) else None
            if _is_integer(number) and (self.position is None or number > self.position):
                self.position = number
                return event
        if self._page_after is not None:
            self.position = max(self.position or 0, self._page_after)
            self._page_after = None
        return None

    def _next_arrived(self):
        """The next event of those that arrived, if it follows without a gap."""
        while self.position is not None and self._order and self._order[0] <= self.position + 1:
            number, event = self._take_arrived()
            if number == self.position + 1:
                self.position = number
                if event is not None:
                    return event
        return None

    # When to ask

    def has_gap(self):
        """Whether events are known to be missing."""
        return self.position is not None and self.newest > self.position

    def read_due(self):
        """When the engine is to be asked, if no message comes before. For when ``next`` has nothing."""
        is_missing = self.position is None or self.is_unsure or self.has_gap()
        return self.read_at if is_missing else max(self.read_at, self.heard + self.silence)

    def read_limit(self):
        """How many events to ask for: as many as are missing before those that arrived, as far as that is known."""
        end = self._order[0] - 1 if self._order else self.newest
        missing = end - self.position if self.has_gap() else 0
        return missing if 0 < missing < PAGE_EVENTS else PAGE_EVENTS

    def read_body(self):
        """The body of the request."""
        body = {"limit": self.read_limit()}
        if self.position is not None:
            body["after"] = self.position
        if self.topics:
            body["topics"] = sorted(self.topics)
        self.counts["reads"] += 1
        self.counts["gaps"] += self.has_gap()
        return body

    def is_ahead(self):
        """Whether the feed ends before the position, and not only for a moment."""
        return self.tips_below >= TIPS_BELOW_MAX
