"""Prompt templates: a query is put into a sentence, or into several whose embeddings are averaged.

Averaging the embeddings of many prompts is the ensembling of Radford et al., "Learning Transferable
Visual Models From Natural Language Supervision" (2021), section 3.1.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from search_core.errors import SettingsError
from search_core.messages import Message

#: Templates that suit footage; the plain query is one of them.
FOOTAGE_TEMPLATES: tuple[str, ...] = (
    "{}",
    "a photo of {}",
    "a blurry photo of {}",
    "security camera footage of {}",
)


def apply_templates(text: str, templates: Sequence[str]) -> list[str]:
    """Return ``text`` put into each template's ``{}``; without templates, ``text`` alone.

    Raises SettingsError when a template has no ``{}`` or more than one.
    """
    for template in templates:
        if template.count("{}") != 1:
            raise SettingsError(
                "The prompt template {template!r} needs exactly one {{}} for the query.",
                Message('For example: --template "a photo of {}".'),
                template=template,
            )
    return [template.replace("{}", text) for template in templates] or [text]
