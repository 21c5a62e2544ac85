"""Signatures of AWS: AWS's own test vectors, and what botocore 1.44.8 signs."""

from datetime import UTC, datetime

import pytest

from jobs.hooks.targets.sigv4 import Credentials, signed_headers

#: "Signature Version 4 test suite" of AWS: who asks, when, for what.
WHO = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
VECTORS = {
    "get-vanilla": (
        ("GET", "https://example.amazonaws.com/", b"", {}),
        ("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ),
    "post-vanilla": (
        ("POST", "https://example.amazonaws.com/", b"", {}),
        ("host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ),
    "get-vanilla-query-order-key-case": (
        ("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", b"", {}),
        ("host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ),
    "post-x-www-form-urlencoded": (
        (
            "POST",
            "https://example.amazonaws.com/",
            b"Param1=value1",
            {"Content-Type": "application/x-www-form-urlencoded"},
        ),
        ("content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ),
}


@pytest.mark.parametrize(("request_", "wanted"), VECTORS.values(), ids=VECTORS)
def test_aws_test_vector(request_: tuple[str, str, bytes, dict[str, str]], wanted: tuple[str, str]) -> None:
    method, url, body, headers = request_
    found = signed_headers(method, url, body, headers, WHO, region="us-east-1", service="service", at=AT)
    names, signature = wanted
    assert found["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


ARN = "arn%3Aaws%3Ases%3Aeu-west-1%3A123456789012%3Atenant%2Facme%2Ftn-1"


def test_path_of_an_arn_and_the_token_of_a_session_are_signed_as_botocore_does() -> None:
    found = signed_headers(
        "PUT",
        f"https://email.eu-west-1.amazonaws.com/v2/email/reputation/entities/RESOURCE/{ARN}/customer-managed-status",
        b'{"SendingStatus":"DISABLED"}',
        {"Content-Type": "application/json"},
        Credentials(WHO.key_id, WHO.secret, "token-of-a-session"),
        region="eu-west-1",
        service="ses",
        at=AT,
    )
    assert found["X-Amz-Security-Token"] == "token-of-a-session"
    assert found["Authorization"].endswith("Signature=18c2b8982aca6283f9b3a074a735dc22a69e91a73eb305d43ba9f6bbc11f1e7d")
