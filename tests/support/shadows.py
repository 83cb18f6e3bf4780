"""A working folder full of modules that must not be imported."""

SHADOWS = ("queue", "random", "mlflow", "torch", "optuna", "numpy", "uvicorn", "sklearn")


def shadow_modules(folder):
    """Put them there."""
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} of the working folder')")
