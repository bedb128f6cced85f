"""The command `config-schema`."""

from __future__ import annotations

import typer

app = typer.Typer(rich_markup_mode="markdown")


@app.command(
    epilog="""
**Examples**

`behaviour-stream config-schema > schema.json`, and as first line of a configuration beside it:

`# yaml-language-server: $schema=schema.json`
"""
)
def config_schema() -> None:
    """Print the JSON Schema of a configuration, with which editors complete and check YAML."""
    from pipeline.config.document import json_schema_text
    from pipeline.config.schema import PipelineConfig

    print(json_schema_text(PipelineConfig), end="")
