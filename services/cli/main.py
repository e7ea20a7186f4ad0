"""All commands, by group. Heavy imports happen inside the commands, so that `cfreader --help` answers at once."""

from __future__ import annotations

import typer

from . import (
    agreement,
    augment,
    bench,
    data,
    explain,
    models,
    own,
    report,
    reproduce,
    reproduce_medxgan,
    reproduce_mirror,
    server,
    train_drawn,
    train_mirror,
    transition,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
train = typer.Typer(no_args_is_help=True, help="Train a classifier or a generator.")
evaluate = typer.Typer(no_args_is_help=True, help="Measure how good a model is on held-out images.")
add = typer.Typer(no_args_is_help=True, help="Add a model of your own.")
benches = typer.Typer(no_args_is_help=True, help="Measure the tool itself.")
reproductions = typer.Typer(no_args_is_help=True, help="Make a paper's table or figure again.")
app.add_typer(benches, name="bench")
app.add_typer(reproductions, name="reproduce")
app.add_typer(add, name="add")
app.add_typer(train, name="train")
app.add_typer(evaluate, name="evaluate")

app.command("import")(data.import_command)
app.command("phantom")(data.phantom)
app.command("brain")(data.brain)
app.command("mnist")(data.mnist)
app.command("list")(data.list_command)
benches.command("phantom")(bench.bench_phantom)
benches.command("eigenfind")(bench.bench_eigenfind)
benches.command("stylex")(bench.bench_stylex)
benches.command("refinement")(bench.bench_refinement)
benches.command("transfer")(bench.bench_transfer)
benches.command("attfind")(bench.bench_attfind)
benches.command("inversion")(bench.bench_inversion)
benches.command("agreement")(bench.bench_agreement)
benches.command("coverage")(bench.bench_coverage)
benches.command("reading")(bench.bench_reading)
reproductions.command("eigenfind-table1")(reproduce.eigenfind_table1)
reproductions.command("eigenfind-table2")(reproduce.eigenfind_table2)
reproductions.command("eigenfind-figure1")(reproduce.eigenfind_figure1)
reproductions.command("medxgan-table1")(reproduce_medxgan.medxgan_table1)
reproductions.command("medxgan-table2")(reproduce_medxgan.medxgan_table2)
reproductions.command("medxgan-lig")(reproduce_medxgan.medxgan_lig)
reproductions.command("medxgan-table3")(reproduce_medxgan.medxgan_table3)
reproductions.command("medxgan-monotone")(reproduce_medxgan.medxgan_monotone)
reproductions.command("medxgan-failures")(reproduce_medxgan.medxgan_failures)
reproductions.command("medxgan")(reproduce_medxgan.medxgan_all)
reproductions.command("mirror-table1")(reproduce_mirror.mirror_table1)
reproductions.command("mirror-confidence")(reproduce_mirror.mirror_confidence)
reproductions.command("mirror-table2")(reproduce_mirror.mirror_table2)
reproductions.command("mirror-table3")(reproduce_mirror.mirror_table3)
reproductions.command("mirror-table4")(reproduce_mirror.mirror_table4)
reproductions.command("mirror-table5")(reproduce_mirror.mirror_table5)
reproductions.command("mirror-table6")(reproduce_mirror.mirror_table6)
reproductions.command("mirror-figure6")(reproduce_mirror.mirror_figure6)
reproductions.command("mirror-rivals")(reproduce_mirror.mirror_rivals)
reproductions.command("mirror")(reproduce_mirror.mirror_all)
add.command("classifier")(own.add_classifier)
train.command("classifier")(models.train_classifier)
train.command("stylex")(models.train_stylex)
train.command("medxgan")(models.train_medxgan)
train.command("mirror")(train_mirror.train_mirror)
train.command("vae")(train_drawn.train_vae)
train.command("expgan")(train_drawn.train_expgan)
train.command("c3lt")(train_drawn.train_c3lt)
train.command("detail")(models.train_detail)
evaluate.command("classifier")(models.evaluate_classifier)
evaluate.command("stylex")(models.evaluate_stylex)
app.command("eigenfind")(explain.eigenfind)
app.command("attfind")(explain.attfind)
app.command("explain")(explain.explain)
app.command("transition")(transition.transition)
app.command("agreement")(agreement.agreement)
app.command("augment")(augment.augment)
app.command("sample-size")(agreement.sample_size)
app.command("report")(report.report)
app.command("demo")(server.demo)
app.command("serve")(server.serve)


def main() -> None:
    """Entry point of the console command."""
    app()
