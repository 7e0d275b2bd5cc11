"""The model server: SageMaker's inference container contract (/ping, /invocations) on one asyncio process.

Read in this order: settings (the environment), handlers (the user's four functions), codec (their defaults),
app (HTTP), __main__ (processes and signals). It imports nothing of the product or the embedded AWS.
"""
