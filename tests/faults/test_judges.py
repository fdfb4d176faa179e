"""The judges of the laboratory: each property catches its violation, and believes the rest.

The recordings are made by hand: a fleet whose member ``m`` is carried by ``p``, looked at by ``o``;
the keeper ``k`` bears witness.
"""

import pytest
from faults.laboratory.judges import judge
from faults.laboratory.times import Times

TIMES = Times(interval=0.2, down=1.5, poll=0.1)
BEGIN, END = 100.0, 130.0
#: When the fault of a recording begins: by then everybody has been heard for long.
FAULT = 110.0


class Recording:
    """Entries of a fleet in order, as its processes would have written them."""

    def __init__(self):
        self.entries = [{"at": BEGIN, "who": "director", "what": "times", **TIMES._asdict()}]
        for who in ("p", "k", "o"):
            self.note(BEGIN, who, "open", instance=who)
        self.note(BEGIN + 0.1, "p", "join", member="m", attributes={}, begin=BEGIN)

    def note(self, at, who, what, **fields):
        self.entries.append({"at": at, "who": who, "what": what, **fields})
        return self

    def beats(self, who, begin=BEGIN, end=END):
        at = begin
        while at < end:
            self.note(at, who, "beat", begin=at - 0.001, instance=who, error="")
            at += TIMES.interval
        return self

    def says(self, state, at, way="get_members", reason="a reason"):
        return self.note(
            at, "o", "answer", begin=at - 0.01, way=way, states={"m": state}, reasons={"m": reason}
        )

    def event(self, kind, at, before=None, now=None):
        return self.note(at, "o", "event", type=kind, member="m", before=before, now=now)

    def outage(self, begin, end):
        about = {"fault": "outage", "target": "store", "forgets": False, "ends": False}
        return self.note(end, "director", "fault", begin=begin, **about)

    def violations(self, expected=("up",), calm=END):
        self.note(calm, "director", "calm", expected={"m": list(expected)})
        for way in ("get_members", "states", "watch.members", "watch.is_up"):
            state = "not up" if way == "watch.is_up" and expected[0] != "up" else expected[0]
            self.says(state, calm + 1.0, way)
        ordered = sorted(self.entries, key=lambda entry: entry["at"])
        return [(one.kind, one.words) for one in judge(ordered)]


@pytest.fixture
def recording():
    """A fleet that lives and beats all the while."""
    return Recording().beats("p", end=END + 2).beats("k", end=END + 2)


@pytest.fixture
def killed():
    """A fleet whose member died."""
    recording = Recording().beats("p", end=FAULT).beats("k", end=END + 2)
    return recording.note(FAULT, "director", "killed", actor="p", begin=FAULT - 0.01)


def described(state, life=1, word=None):
    return {"state": state, "life": ["i", life, 0], "word": word}


class TestAccuracy:
    def test_who_lives_is_up(self, recording):
        assert recording.says("up", FAULT).violations() == []

    @pytest.mark.parametrize("state", ["down", "gone", "unknown", "not up"])
    @pytest.mark.parametrize("way", ["get_members", "watch.members"])
    def test_who_lives_is_nothing_else(self, recording, state, way):
        [(kind, words)] = recording.says(state, FAULT, way).violations()
        assert kind == "accuracy"
        assert words == f"o says {state} of m by {way} (a reason); right is up"

    def test_an_outage_of_the_store_makes_nobody_down(self):
        away = (FAULT, FAULT + 5.0)
        recording = Recording().outage(*away)
        for who in ("p", "k"):
            recording.beats(who, end=away[0]).beats(who, begin=away[1] + 0.3, end=END + 2)
        recording.says("unknown", away[1] + 0.1).says("down", away[1] + 0.2)
        [(kind, words)] = recording.violations()
        assert (kind, "says down" in words) == ("accuracy", True)

    def test_who_was_cut_off_alone_after_an_outage_may_be_down_after_one_limit_of_that(self):
        back = FAULT + 1.8  # m looks silent for long enough then, and that is not its own silence
        cut = (back + 0.05, back + 3.0)
        recording = Recording().outage(FAULT, back)
        recording.beats("k", end=FAULT).beats("k", begin=back + 0.05, end=END + 2)
        recording.beats("p", end=FAULT).beats("p", begin=cut[1] + 0.1, end=END + 2)
        about = {"fault": "black_hole", "target": "p", "actor": "p"}
        recording.note(cut[1], "director", "fault", begin=cut[0], **about)
        recording.says("down", cut[0] + 1.3).says("down", cut[0] + 1.6)
        [(kind, words)] = recording.violations()
        assert (kind, "says down" in words) == ("accuracy", True)

    def test_who_was_stopped_may_be_down_until_it_beats(self):
        woken = FAULT + 5.0
        recording = Recording().beats("k", end=END + 2)
        recording.beats("p", end=FAULT).beats("p", begin=woken, end=END + 2)
        about = {"fault": "pause", "target": "p", "actor": "p"}
        recording.note(woken, "director", "fault", begin=FAULT, **about)
        recording.says("down", FAULT + 2.0).says("down", woken + 1.0)
        [(kind, words)] = recording.violations()
        assert (kind, "right is up" in words) == ("accuracy", True)

    def test_a_short_stall_excuses_no_long_silence(self):
        woken = FAULT + 5.0
        recording = Recording().beats("k", end=END + 2)
        recording.beats("p", end=FAULT).beats("p", begin=woken, end=END + 2)
        recording.note(FAULT + 0.3, "p", "stall", begin=FAULT)
        [(kind, _)] = recording.says("down", FAULT + 3.0).violations()
        assert kind == "accuracy"

    def test_an_observer_that_cannot_reach_the_store_knows_nothing(self, recording):
        about = {"fault": "black_hole", "target": "o", "actor": "o"}
        recording.note(FAULT + 3.0, "director", "fault", begin=FAULT, **about)
        recording.says("unknown", FAULT + 2.0).says("down", FAULT + 2.1)
        [(kind, words)] = recording.violations()
        assert (kind, "says down" in words) == ("accuracy", True)

    def test_who_is_forced_down_is_down(self, recording):
        word = {"call": "force_down", "member": "m", "known": True}
        recording.note(FAULT, "k", "word", begin=FAULT - 0.1, **word)
        recording.says("down", FAULT + 1.0).says("up", FAULT + 1.1)
        [(kind, words)] = recording.violations(["down"])
        assert (kind, "right is down" in words) == ("completeness", True)


class TestCompleteness:
    def test_who_died_is_down_within_the_bound(self, killed):
        killed.says("up", FAULT + TIMES.noticed - 0.1).says("down", FAULT + TIMES.noticed + 0.1)
        assert killed.violations(["down"]) == []

    @pytest.mark.parametrize("state", ["up", "unknown"])
    def test_and_nothing_else_after_it(self, killed, state):
        [(kind, _)] = killed.says(state, FAULT + TIMES.noticed + 0.1).violations(["down"])
        assert kind == "completeness"

    def test_with_a_guardian_it_is_told_sooner(self, killed):
        killed.entries[0]["guardian"] = True
        [(kind, _)] = killed.says("up", FAULT + TIMES.told + 0.1).violations(["down"])
        assert kind == "completeness"

    def test_whom_a_lost_link_kept_from_its_guardian(self, killed):
        killed.entries[0]["guardian"] = True
        about = {"fault": "refuse", "target": "p", "actor": "p"}
        killed.note(FAULT + 1.0, "director", "fault", begin=FAULT - 1.0, **about)
        assert killed.says("up", FAULT + TIMES.told + 0.1).violations(["down"]) == []

    def test_without_a_witness_nobody_knows(self):
        recording = Recording().beats("p", end=FAULT)
        recording.note(FAULT, "director", "killed", actor="p", begin=FAULT - 0.01)
        recording.says("unknown", FAULT + TIMES.noticed + 1.0)
        assert recording.violations(["down"]) == []

    def test_who_left_is_gone(self, recording):
        recording.note(FAULT, "p", "leave", member="m", begin=FAULT - 0.1)
        recording.says("gone", FAULT + 0.2).says("up", FAULT + 1.0)
        [(kind, words)] = recording.violations(["gone"])
        assert (kind, "right is gone" in words) == ("completeness", True)


class TestRecovery:
    def test_a_last_answer_that_differs_from_the_truth(self, recording):
        recording.note(END, "director", "calm", expected={"m": ["up"]})
        for way in ("get_members", "watch.members", "watch.is_up"):
            recording.says("up", END + 1.0, way)
        recording.says("unknown", END + 1.0, "states")
        assert [(one.kind, one.words) for one in judge(recording.entries)][-1] == (
            "recovery",
            "o says unknown of m by states, right is up (a reason)",
        )

    def test_a_way_that_stays_without_an_answer(self, recording):
        recording.note(END, "director", "calm", expected={"m": ["up"]})
        recording.says("up", END + 1.0, "states").note(END + 2.0, "director", "end")
        entries = sorted(recording.entries, key=lambda entry: entry["at"])
        words = [one.words for one in judge(entries) if one.kind == "recovery"]
        assert "o gives no answer by watch.members" in words

    def test_an_answer_that_is_no_documented_one(self, recording):
        recording.note(FAULT, "o", "failure", doing="_query", error="KeyError: 'm'")
        assert recording.violations() == [("failure", "o at _query: KeyError: 'm'")]


class TestOrder:
    def test_an_honest_path(self, recording):
        recording.event("joined", FAULT, now=described("up")).event("ready", FAULT)
        recording.event("down", FAULT + 1, described("up"), described("down"))
        recording.event("stale", FAULT + 2).event("fresh", FAULT + 3)
        recording.event("changed", FAULT + 4, described("down"), described("up", life=2))
        recording.event("up", FAULT + 4, described("down"), described("up", life=2))
        recording.event("left", FAULT + 5, described("up", life=2), described("up", life=2))
        recording.note(FAULT + 6, "o", "view", members={}, fresh=True)
        assert recording.violations() == []

    @pytest.mark.parametrize(
        ("kind", "before", "now", "wrong"),
        [
            ("up", "up", described("up"), "who was up and is up"),
            ("joined", None, described("up"), "after None, but knew"),
            ("changed", "up", described("up"), "without a change"),
            ("down", "up", described("down", life=2), "that swallows a change"),
            ("down", "up", described("unknown"), "who was up and is unknown"),
            ("ready", None, None, "READY again"),
            ("fresh", None, None, "FRESH again"),
        ],
    )
    def test_a_step_that_is_none(self, recording, kind, before, now, wrong):
        recording.event("joined", FAULT, now=described("up")).event("ready", FAULT)
        recording.event(kind, FAULT + 1, before and described(before), now)
        [(property_, words)] = recording.violations()
        assert property_ == "order"
        assert wrong in words

    def test_events_before_joining(self, recording):
        recording.event("up", FAULT, None, described("up"))
        [(kind, words)] = recording.violations()
        assert (kind, "who had not joined" in words) == ("order", True)

    def test_a_view_that_the_events_do_not_add_up_to(self, recording):
        recording.event("joined", FAULT, now=described("up"))
        recording.note(FAULT + 1, "o", "view", members={"m": described("down")}, fresh=True)
        [(kind, _)] = recording.violations()
        assert kind == "order"


class TestNothingLost:
    def account(self, recording, attributes, records):
        return recording.note(
            END, "k", "account", attributes=attributes, records=records
        ).violations()

    def test_what_was_put_there_is_there(self, recording):
        recording.note(FAULT, "p", "update", member="m", attributes={"x": 1})
        recording.note(FAULT, "k", "word", member="m", call="disable", known=True)
        assert self.account(recording, {"m": {"x": 1}}, {"m": [True, False, False]}) == []

    @pytest.mark.parametrize(
        ("attributes", "records"),
        [
            ({"m": {}}, {"m": [True, False, False]}),
            ({"m": {"x": 1}}, {"m": [False, False, False]}),
            ({"m": {"x": 1}}, {}),
        ],
    )
    def test_what_is_lost(self, recording, attributes, records):
        recording.note(FAULT, "p", "update", member="m", attributes={"x": 1})
        recording.note(FAULT, "k", "word", member="m", call="disable", known=True)
        [(kind, _)] = self.account(recording, attributes, records)
        assert kind == "nothing lost"

    def test_what_was_deleted_stays_deleted(self, recording):
        recording.note(FAULT, "k", "delete", member="m", begin=FAULT - 0.1, known=True)
        recording.note(END, "k", "account", attributes={}, records={"m": [False, False, False]})
        [(kind, words)] = recording.violations(["gone"])
        assert (kind, "was deleted" in words) == ("nothing lost", True)

    @pytest.mark.parametrize(("heard", "kinds"), [(False, []), (True, ["nothing lost"])])
    def test_who_leaves_before_the_store_heard_of_it_again_leaves_no_record(self, heard, kinds):
        recording = Recording().beats("k", end=END + 2).beats("p", end=FAULT)
        about = {"fault": "lose", "target": "store", "forgets": True, "ends": False}
        recording.note(FAULT + 0.2, "director", "fault", begin=FAULT + 0.1, **about)
        if heard:
            recording.beats("p", begin=FAULT + 0.3, end=FAULT + 1.0)
        recording.note(FAULT + 1.0, "p", "leave", member="m", begin=FAULT + 0.9)
        recording.note(END, "k", "account", attributes={}, records={})
        assert [kind for kind, _ in recording.violations(["gone"])] == kinds

    def test_what_the_store_lost_is_mended_once_it_is_back(self):
        recording = Recording().beats("k", end=END + 2).beats("p", end=FAULT)
        about = {"fault": "lose", "target": "store", "forgets": True, "ends": False}
        recording.note(FAULT + 0.2, "director", "fault", begin=FAULT + 0.1, **about)
        back = FAULT + 6.0
        recording.beats("p", begin=FAULT + 0.3, end=FAULT + 0.4).beats("p", begin=back + 0.3)
        recording.outage(FAULT + 0.4, back)
        late = back + TIMES.recovered + 0.1
        recording.says("gone", back + 0.2).says("gone", late)
        [(kind, words)] = recording.violations()
        assert (kind, "says gone" in words) == ("accuracy", True)
