"""Training engine: runner, hooks, optimizer constructors and checkpoints."""
