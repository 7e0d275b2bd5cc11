"""What happens to jobs, without any job."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.sagemaker.jobs import lifecycle as lc
from penstock.localaws.sagemaker.jobs.lifecycle import Instruction, Job, Secondary, Status


def after(*events: Any) -> tuple[Job, list[Instruction]]:
    job, instructions = lc.create(0.0), list[Instruction]()
    for event in events:
        job, instructions = lc.handle(job, event)
    return job, instructions


RUNNING = (lc.Admitted(1.0), lc.Prepared(2.0))


def test_a_job_with_a_place_downloads_at_once() -> None:
    job, todo = after(lc.Admitted(1.0))
    assert (job.secondary, job.started, todo) == (Secondary.DOWNLOADING, 1.0, [Instruction.PREPARE])


def test_a_job_without_a_place_waits() -> None:
    job, todo = after(lc.Queued(1.0))
    assert (job.secondary, job.status, todo) == (Secondary.PENDING, Status.IN_PROGRESS, [])


def test_a_job_that_exits_with_0_completes() -> None:
    job, _ = after(*RUNNING, lc.Ended(5.0, None), lc.Uploaded(6.0))
    shown = [one.status for one in job.transitions]
    assert shown == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert (job.status, job.billable_seconds) == (Status.COMPLETED, 5)


def test_a_failed_job_uploads_before_it_fails() -> None:
    job, todo = after(*RUNNING, lc.Ended(5.0, "AlgorithmError: x"))
    assert (job.status, todo) == (Status.IN_PROGRESS, [Instruction.UPLOAD])
    assert lc.handle(job, lc.Uploaded(6.0))[0].failure == "AlgorithmError: x"


def test_a_reason_is_cut_to_what_describe_shows() -> None:
    job, todo = after(lc.Admitted(1.0), lc.Broken(2.0, "x" * 5000))
    assert (job.status, len(job.failure or ""), todo) == (Status.FAILED, 1024, [Instruction.FINISH])


def test_a_stop_ends_the_process_then_uploads_then_stops() -> None:
    job, todo = after(*RUNNING, lc.StopRequested(3.0))
    assert (job.status, todo) == (Status.STOPPING, [Instruction.TERMINATE])
    job, todo = lc.handle(job, lc.Ended(4.0, "AlgorithmError: , exit code: 143"))
    assert todo == [Instruction.UPLOAD]
    job, _ = lc.handle(job, lc.Uploaded(5.0))
    assert (job.status, job.secondary, job.failure) == (Status.STOPPED, Secondary.STOPPED, None)


def test_a_stop_while_downloading_never_starts_the_process() -> None:
    job, todo = after(lc.Admitted(1.0), lc.StopRequested(2.0), lc.Prepared(3.0))
    assert (job.status, todo) == (Status.STOPPED, [Instruction.FINISH])


def test_a_waiting_job_stops_at_once() -> None:
    job, todo = after(lc.Queued(1.0), lc.StopRequested(2.0))
    assert (job.status, job.billable_seconds, todo) == (Status.STOPPED, None, [Instruction.FINISH])


def test_a_job_out_of_time_is_stopped_and_says_why() -> None:
    job, todo = after(*RUNNING, lc.TimeOver(3.0))
    assert todo == [Instruction.TERMINATE]
    for event in (lc.Ended(4.0, "AlgorithmError: x"), lc.Uploaded(5.0)):
        job, _ = lc.handle(job, event)
    assert (job.status, job.secondary, job.failure) == (Status.STOPPED, Secondary.MAX_RUNTIME, None)


def test_a_restart_fails_what_was_under_way() -> None:
    job = lc.failed_by_restart(after(*RUNNING)[0], 9.0)
    assert (job.status, job.failure, job.ended) == (Status.FAILED, lc.INTERNAL_ERROR, 9.0)


def test_a_restart_takes_up_again_what_may_be_tried_again() -> None:
    job = lc.failed_by_restart(after(*RUNNING)[0], 9.0, again=True)
    assert (job.status, job.secondary, job.waiting, job.attempts) == (
        Status.IN_PROGRESS,
        Secondary.RESTARTING,
        True,
        1,
    )
    job, todo = lc.handle(job, lc.Admitted(10.0))
    assert (job.secondary, job.started, todo) == (Secondary.DOWNLOADING, 1.0, [Instruction.PREPARE])


def test_a_fault_of_ours_is_tried_again_in_its_place() -> None:
    job, todo = after(*RUNNING, lc.Broken(3.0, lc.INTERNAL_ERROR, again=True))
    shown = [str(one.status) for one in job.transitions][-3:]
    assert (shown, todo) == (["Training", "Restarting", "Downloading"], [Instruction.PREPARE])


def test_a_stopped_job_is_not_tried_again() -> None:
    job, todo = after(*RUNNING, lc.StopRequested(3.0), lc.Broken(4.0, lc.INTERNAL_ERROR, again=True))
    assert (job.status, todo) == (Status.FAILED, [Instruction.FINISH])


def test_a_job_that_waited_too_long_ends_as_asked() -> None:
    job, todo = after(lc.Queued(1.0), lc.WaitOver(2.0, Secondary.MAX_WAIT))
    assert (job.status, job.secondary, todo) == (Status.STOPPED, Secondary.MAX_WAIT, [Instruction.FINISH])
    running = after(*RUNNING)[0]
    assert lc.handle(running, lc.WaitOver(3.0, Secondary.MAX_WAIT)) == (running, [])


def test_what_a_job_waits_for_is_said_once() -> None:
    job, _ = after(lc.Queued(1.0), lc.Queued(2.0, "no memory"), lc.Queued(3.0, "still none"))
    assert [one.message for one in job.transitions][1:] == ["no memory"]


ALLOWED = {
    "Starting": {"Pending", "Downloading", "Stopped", "Failed", "MaxWaitTimeExceeded"},
    "Pending": {"Downloading", "Stopped", "Failed", "MaxWaitTimeExceeded"},
    "Downloading": {"Training", "Stopping", "Uploading", "Failed", "Restarting"},
    "Training": {"Uploading", "Stopping", "Failed", "Restarting"},
    "Uploading": {
        "Completed",
        "Failed",
        "MaxRuntimeExceeded",
        "MaxWaitTimeExceeded",
        "Stopping",
        "Restarting",
    },
    "Stopping": {"Stopped", "Failed"},
    "Restarting": {"Downloading"},
}
# What the runner can say at each moment: the answer to its last instruction, and at any time a stop or the clock.
ANSWERS = {
    Instruction.PREPARE: [lc.Prepared, lc.Broken],
    Instruction.RUN: [lc.Ended, lc.Broken],
    Instruction.UPLOAD: [lc.Uploaded, lc.Broken],
}


@given(st.data())
def test_whatever_happens_a_job_goes_only_where_aws_lets_it(data: st.DataObject) -> None:
    job, pending = lc.create(0.0), [lc.Queued, lc.Admitted]
    for at in itertools.count(1):
        if job.over or at > 30:
            break
        make = data.draw(st.sampled_from([*pending, lc.StopRequested, lc.TimeOver, lc.WaitOver]))
        arguments = {
            lc.Ended: lambda: [data.draw(st.sampled_from([None, "why"]))],
            lc.Broken: lambda: ["why", data.draw(st.booleans())],
            lc.TimeOver: lambda: [data.draw(st.booleans())],
            lc.WaitOver: lambda: [Secondary.MAX_WAIT],
        }
        before = job
        job, todo = lc.handle(job, make(float(at), *arguments.get(make, list)()))
        shown = [one.status for one in job.transitions[len(before.transitions) - 1 :]]
        assert all(later in ALLOWED[earlier] for earlier, later in itertools.pairwise(shown))
        answers = [ANSWERS[one] for one in todo if one in ANSWERS]
        if answers:
            pending = answers[0]
        elif make in pending and make not in (lc.Queued, lc.WaitOver):
            pending = [lc.StopRequested]
    assert all(one.ended is not None for one in job.transitions[:-1])
    assert (job.failure is not None) <= (job.status in (Status.FAILED, Status.IN_PROGRESS))
    assert lc.handle(job, lc.StopRequested(99.0)) == (job, []) or not job.over
