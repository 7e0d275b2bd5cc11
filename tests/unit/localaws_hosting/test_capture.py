"""What data capture writes, line for line and key for key, and when."""

import base64
import json
import re
import threading

import pytest

from penstock.localaws.sagemaker.clock import Clock
from penstock.localaws.sagemaker.hosting.capture import Captured, Captures, document, lines
from penstock.localaws.sagemaker.hosting.http_client import Reply

NOON = 1644857989.123  # 2022-02-14T16:59:49Z
TEXTS = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
REQUEST = {"content-type": "text/csv"}
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def config(*modes, percentage=100, **members):
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percentage,
        "DestinationS3Uri": "s3://bucket/some/where/",
        "CaptureOptions": [{"CaptureMode": mode} for mode in modes or ("Input", "Output")],
        "CaptureContentTypeHeader": TEXTS,
        **members,
    }


def captured(
    settings=None, headers=REQUEST, body=b"1,2\n", kind="application/json", answer=b'{"a":1}', **members
):
    reply = Reply(200, {"content-type": kind} if kind else {}, answer)
    named = {"endpoint": "e", "variant": "live", "time": NOON, **members}
    return Captured(config=settings or config(), headers=headers, body=body, reply=reply, **named)


class FakeS3:
    """Keeps what is put; the first `failing` puts fail."""

    def __init__(self, failing=0):
        self.objects, self.failing, self.options = {}, failing, []
        self.written = threading.Event()

    def put_object(self, Bucket, Key, Body, **options):  # noqa: N803  boto3's names
        if self.failing:
            self.failing -= 1
            raise OSError("no S3")
        self.objects[f"{Bucket}/{Key}"] = Body
        self.options.append(options)
        self.written.set()


class APlane:
    """A plane of an S3 and a clock."""

    def __init__(self, s3):
        self.s3, self.clock = s3, Clock()

    def client(self, _service):
        return self.s3


def test_a_line_is_as_aws_writes_it():
    (line,) = lines([captured(headers={**REQUEST, "x-amzn-sagemaker-inference-id": "i-7"})]).splitlines()
    event = json.loads(line)["eventMetadata"]["eventId"]
    assert re.fullmatch(UUID, event)
    assert line.decode() == (
        '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"1,2\\n",'
        '"encoding":"CSV"},"endpointOutput":{"observedContentType":"application/json","mode":"OUTPUT",'
        '"data":"{\\"a\\":1}","encoding":"JSON"}},"eventMetadata":{"eventId":"'
        + event
        + '","inferenceId":"i-7",'
        '"inferenceTime":"2022-02-14T16:59:49Z"},"eventVersion":"0"}'
    )


@pytest.mark.parametrize(
    ("modes", "members"),
    [
        (["Input"], {"endpointInput"}),
        (["Output"], {"endpointOutput"}),
        (["Input", "Output"], {"endpointInput", "endpointOutput"}),
        (["InputAndOutput"], {"endpointInput", "endpointOutput"}),
    ],
)
def test_only_what_the_capture_options_name_is_captured(modes, members):
    assert set(document(captured(config(*modes)))["captureData"]) == members


@pytest.mark.parametrize(
    ("types", "kind", "body", "encoding"),
    [
        (TEXTS, "text/csv; charset=utf-8", "ä,1".encode(), "CSV"),
        (TEXTS, "Application/JSON", b"{}", "JSON"),
        (TEXTS, "application/x-npy", b"\x93", "BASE64"),
        (TEXTS, "text/csv", b"\xff\xfe", "BASE64"),
        ({}, "text/csv", b"1,2", "BASE64"),
        (TEXTS, None, b"1,2", "BASE64"),
    ],
)
def test_the_encoding_follows_the_content_type(types, kind, body, encoding):
    headers = {"content-type": kind} if kind else {}
    shown = document(captured(config(CaptureContentTypeHeader=types), headers, body))["captureData"][
        "endpointInput"
    ]
    assert shown["encoding"] == encoding
    assert shown["data"] == (base64.b64encode(body) if encoding == "BASE64" else body).decode()
    assert shown.get("observedContentType") == kind


def test_custom_attributes_are_in_the_metadata():
    metadata = document(captured(headers={"x-amzn-sagemaker-custom-attributes": "t=1"}))["eventMetadata"]
    assert metadata["customAttributes"] == ["t=1"]
    assert "inferenceId" not in metadata


def test_files_are_by_endpoint_variant_and_hour():
    s3 = FakeS3()
    captures = Captures(APlane(s3))
    for one in (captured(), captured(time=NOON + 5), captured(time=NOON + 60), captured(variant="b")):
        captures.note(one)
    captures.close()
    files = {re.sub(UUID, "*", key): body.count(b"\n") for key, body in s3.objects.items()}
    assert files == {
        "bucket/some/where/e/live/2022/02/14/16/59-49-123-*.jsonl": 2,
        "bucket/some/where/e/live/2022/02/14/17/00-49-123-*.jsonl": 1,
        "bucket/some/where/e/b/2022/02/14/16/59-49-123-*.jsonl": 1,
    }


def test_a_minute_of_the_clock_writes_what_has_gathered():
    s3 = FakeS3()
    plane = APlane(s3)
    captures = Captures(plane)
    captures.note(captured())
    assert not s3.written.is_set()
    while not s3.written.wait(0.01):  # the thread may not wait yet when the time is let pass
        plane.clock.advance(60)
    captures.close()
    assert len(s3.objects) == 1


def test_flushing_one_endpoint_leaves_the_others():
    s3 = FakeS3()
    captures = Captures(APlane(s3))
    captures.note(captured())
    captures.note(captured(endpoint="other"))
    captures.flush("e")
    assert [key.split("/")[3] for key in s3.objects] == ["e"]
    captures.close()
    assert [key.split("/")[3] for key in s3.objects] == ["e", "other"]


def test_none_and_a_half_are_sampled_as_asked():
    s3 = FakeS3()
    captures = Captures(APlane(s3))
    for percentage in (0, 50):
        for _ in range(2000):
            captures.note(captured(config(percentage=percentage), endpoint=f"e{percentage}"))
    captures.close()
    (half,) = [body.count(b"\n") for body in s3.objects.values()]
    assert 800 < half < 1200  # nine standard deviations


def test_a_key_encrypts_and_a_failing_s3_fails_nothing():
    s3 = FakeS3(failing=1)
    captures = Captures(APlane(s3))
    captures.note(captured(endpoint="lost"))
    captures.flush()
    captures.note(captured(config(KmsKeyId="k-1")))
    captures.close()
    assert s3.options == [{"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k-1"}]
