"""A causal language model of Hugging Face's, on this machine and without network.

Needs `transformers` and `torch` (the extra `local-llm`), and `gguf` for files of that kind.
"""

import threading
from pathlib import Path
from typing import Any

from esolang.llm.generation import BackEndError
from esolang.llm.samples import Completion, Sampling, settings


class LocalModel:
    """Answers one question at a time.

    Args:
      name: for the samples file.
      model, tokenizer: as transformers' Auto classes give them.
    """

    def __init__(self, name: str, model: Any, tokenizer: Any, sampling: Sampling):
        self.settings = settings(name, sampling)
        self.model, self.tokenizer, self.sampling = model, tokenizer, sampling
        self.lock = threading.Lock()  # torch's random numbers are one stream

    def ask(self, prompt: str, seed: int) -> Completion:
        """One answer, the same for the same seed on the same machine."""
        import torch  # pyright: ignore[reportMissingImports]

        tokens = self._encode(prompt)
        num_prompt = tokens["input_ids"].shape[1]
        with self.lock, torch.inference_mode():
            torch.manual_seed(seed)
            said = self.model.generate(**tokens, **self._sampling())[0, num_prompt:]
        is_cut = len(said) == self.sampling.max_tokens
        text = self.tokenizer.decode(said, skip_special_tokens=True)
        return Completion(text, "length" if is_cut else "stop", num_prompt, len(said))

    def _encode(self, prompt: str) -> Any:
        """Through the chat template, if the model has one."""
        if getattr(self.tokenizer, "chat_template", None):
            talk = [{"role": "user", "content": prompt}]
            return self.tokenizer.apply_chat_template(
                talk, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        return self.tokenizer(prompt, return_tensors="pt")

    def _sampling(self) -> dict[str, Any]:
        given = {"max_new_tokens": self.sampling.max_tokens, "do_sample": self.sampling.temperature != 0}
        if self.sampling.temperature:
            given |= {"temperature": self.sampling.temperature}
        if self.sampling.top_p is not None and given["do_sample"]:
            given |= {"top_p": self.sampling.top_p, "top_k": 0}
        end = self.tokenizer.eos_token_id
        return given | {"pad_token_id": end if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id}


def load(path: Path, sampling: Sampling) -> LocalModel:
    """A model from a folder as `save_pretrained` writes it, or from a single GGUF file.

    Raises:
      BackEndError: it is not there, or cannot be read.
    """
    if not path.exists():
        raise BackEndError(f"there is no model at {path}")
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise BackEndError(f"a local model needs {error.name}: pip install '.[local-llm]'") from None
    folder, given = (path, {}) if path.is_dir() else (path.parent, {"gguf_file": path.name})
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **given)
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, **given).eval()
    except (OSError, ValueError, ImportError) as error:
        raise BackEndError(f"cannot read a model at {path}: {error}") from error
    return LocalModel(str(path), model, tokenizer, sampling)
