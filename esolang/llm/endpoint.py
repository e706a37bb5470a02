"""A model behind an endpoint that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp, OpenRouter, ...

Needs `requests` (the extra `llm`).
"""

import os
import threading
import time
from typing import Any, Literal

from esolang.llm.generation import BackEndError, Unanswered
from esolang.llm.samples import Completion, Sampling, settings

DEFAULT_URL = "https://api.openai.com/v1"
TRANSIENT = (408, 409, 425, 429, 500, 502, 503, 504, 529)
NO_ANSWER = (LookupError, TypeError, AttributeError, ValueError, OverflowError, RecursionError)
"""What comes of reading JSON that is none, or something else."""


class Endpoint:
    """Asks over HTTP, and again where that may help, later and later with jitter, or when `Retry-After` says.

    Args:
      base_url: up to and with `/v1`; default: the environment's OPENAI_BASE_URL, else OpenAI's.
      api_key: default: the environment's OPENAI_API_KEY; none for servers that ask for none.
      requests_per_minute: how many are begun at most; retries, which wait longer each time, are not counted.
      timeout: seconds to wait for an answer.
      num_retries: of one question, while the connection fails or the answer is one of `TRANSIENT`.
      backoff: retry number i > 1 waits for backoff · 2 ** (i - 1) seconds, a minute at most, and up to `backoff` more
        by chance; the first retry is at once.
      limit_name: what the endpoint calls the limit of tokens; newer models of OpenAI know the longer name only.
    """

    def __init__(
        self,
        model: str,
        sampling: Sampling,
        base_url: str | None = None,
        api_key: str | None = None,
        requests_per_minute: float = 60.0,
        timeout: float = 600.0,
        num_retries: int = 6,
        backoff: float = 1.0,
        limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens",
    ):
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        self.settings = settings(model, sampling)  # not the address, which may change while the model stays
        self.model, self.sampling, self.timeout, self.limit_name = model, sampling, timeout, limit_name
        self.url = (base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL).rstrip("/") + "/chat/completions"
        self.pace = Pace(60 / requests_per_minute)
        retry = Retry(
            total=num_retries,
            status_forcelist=TRANSIENT,
            allowed_methods=None,  # POST, too: asking twice costs tokens, never a sample
            backoff_factor=backoff,
            backoff_jitter=backoff,
            backoff_max=60,
            respect_retry_after_header=True,
            retry_after_max=600,
        )
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=64, max_retries=retry))
        key = api_key or os.environ.get("OPENAI_API_KEY")
        bearer = {"Authorization": f"Bearer {key}"} if key else {}

        def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update(bearer)
            return request

        self.session.auth = authorise  # a header alone would give way to what a .netrc holds

    def ask(self, prompt: str, seed: int) -> Completion:
        """One answer. Raises Unanswered after the last retry, BackEndError for what no retry mends."""
        import requests

        self.pace.wait()
        try:
            response = self.session.post(self.url, json=self._body(prompt, seed), timeout=(20.0, self.timeout))
            if 400 <= response.status_code < 500:
                raise BackEndError(f"{self.url} answers {response.status_code}: {response.text[:300]!r}")
            response.raise_for_status()
            return _completion(response.json())
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise BackEndError(f"{self.url} is no address: {error}") from None
        except (requests.RequestException, *NO_ANSWER) as error:
            raise Unanswered(str(error)) from error

    def _body(self, prompt: str, seed: int) -> dict[str, Any]:
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            self.limit_name: self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "seed": seed,
        }
        return {name: value for name, value in body.items() if value is not None}


class Pace:
    """Lets one begin every so many seconds."""

    def __init__(self, seconds: float):
        self.seconds, self.next, self.lock = seconds, 0.0, threading.Lock()

    def wait(self) -> None:
        with self.lock:
            now = time.monotonic()
            self.next = max(self.next, now) + self.seconds
            delay = self.next - self.seconds - now
        time.sleep(delay)


def _completion(answer: dict[str, Any]) -> Completion:
    """What an endpoint answered; an answer without usage counts no tokens.

    Raises one of NO_ANSWER where it is none.
    """
    choice, usage = answer["choices"][0], answer.get("usage") or {}
    text, reason = choice["message"]["content"] or "", choice.get("finish_reason") or ""
    if not isinstance(text, str) or not isinstance(reason, str):
        raise TypeError(f"an answer and why it ended must be texts, got {str((text, reason))[:300]}")
    return Completion(
        text=text,
        finish_reason=reason,
        num_prompt_tokens=int(usage.get("prompt_tokens", 0)),
        num_completion_tokens=int(usage.get("completion_tokens", 0)),
    )
