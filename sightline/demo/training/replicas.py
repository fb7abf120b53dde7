"""Data parallelism over CPU threads that do not wait for each other inside every layer.

A batch is cut into chunks, each with a replica of the model that shares its weights but keeps batch
statistics and gradients of its own; as many threads as there are cores take the chunks as they get
free. Where something else runs on a core, the other core goes on. The sum of the gradients is taken
in a fixed order, so a run can be repeated.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch


class Replicas:
    """A CLIP and its replicas, one a chunk; ``model`` is the one to optimise, save and restore."""

    def __init__(self, model: Any, chunks: int, threads: int, device: torch.device) -> None:
        self.model = model
        self._device = device
        self._members = [model, *(copy.deepcopy(model) for _ in range(chunks - 1))]
        for member in self._members[1:]:
            for mine, shared in zip(member.parameters(), model.parameters(), strict=True):
                mine.data = shared.data
        workers = threads if device.type == "cpu" else 1
        self._pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))

    def share_statistics(self) -> None:
        """Gives every replica the mean of all replicas' batch statistics."""
        for buffers in zip(*(member.buffers() for member in self._members), strict=True):
            if buffers[0].is_floating_point():
                mean = torch.stack(buffers).mean(0)
                for buffer in buffers:
                    buffer.copy_(mean)

    def backward(
        self,
        images: torch.Tensor,
        tokens: torch.Tensor,
        loss_of: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> tuple[float, float]:
        """Leaves the whole batch's gradient in ``model``; returns the loss and the share of images
        matched.

        ``images`` is (n, 3, height, width), ``tokens`` (n, context); ``loss_of`` is called once,
        with the L2-normalised features of the whole batch and the scale.
        """
        image_parts = images.chunk(len(self._members))
        token_parts = tokens.chunk(len(self._members))

        def forward(index: int) -> tuple[torch.Tensor, torch.Tensor]:
            member = self._members[index]
            part = image_parts[index].contiguous(memory_format=torch.channels_last)
            with torch.autocast(self._device.type, dtype=torch.bfloat16):
                image = member.encode_image(part, normalize=True)
                text = member.encode_text(token_parts[index], normalize=True)
            return image.float(), text.float()

        parts = list(self._pool.map(forward, range(len(self._members))))
        whole = [
            torch.cat([part[side].detach() for part in parts]).requires_grad_() for side in (0, 1)
        ]
        loss = loss_of(whole[0], whole[1], self.model.logit_scale.exp())
        loss.backward()  # type: ignore[no-untyped-call]
        grads = [side.grad.chunk(len(parts)) for side in whole if side.grad is not None]

        def back(index: int) -> None:
            torch.autograd.backward(parts[index], (grads[0][index], grads[1][index]))

        list(self._pool.map(back, range(len(self._members))))
        self._sum_gradients()
        with torch.no_grad():
            best = (whole[0] @ whole[1].T).argmax(1).cpu()
        matched = (best == torch.arange(len(best))).float().mean()
        return float(loss.detach()), float(matched)

    def _sum_gradients(self) -> None:
        for mine, *others in zip(*(member.parameters() for member in self._members), strict=True):
            for other in others:
                if other.grad is not None and mine.grad is not None:
                    mine.grad += other.grad
                other.grad = None
