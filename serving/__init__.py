"""The model server: SageMaker's inference container contract (/ping, /invocations) on one asyncio process.

Read in this order: settings (the environment), source (the user's code), functions (which ones serve), handlers
(a loaded model), codec (default types), app (HTTP), __main__ (processes and signals); models and namespace: several
models in one process; sklearn_defaults and pytorch_defaults: what those images do where the user's module says nothing.
It imports nothing of the product or the embedded AWS.
"""
