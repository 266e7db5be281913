"""The model in this process: llama.cpp through llama-cpp-python's low-level API.

A request's life. ``engine``, on the event loop, cuts its prompt into a ``Prompt`` (``job``): what all customers
*share* │ the *trunk*, up to the newest message's fork, where the shop's facts begin │ the *tail* after it. The
``Job`` goes through the ``worker``'s queue to the model's thread, and there all else happens: ``runner.add`` →
``scheduler`` (who is next) → ``admission.start`` (from where, and is there room) → steps → ``post``, which puts
chunks into the engine's queue. ``memory`` keeps a *place* for each conversation and each shop's prompt: its
sequences, shortest first. What is to be appended to one sequence is a *leg*: a job has one for the trunk and one for
the tail, this one in a copy of the trunk's sequence, so that another tail may begin at the fork later. Where a job
works now, place and sequence, is its *seat*.

A place is ``busy`` while a job works in it, and as long it stays in the context. ``admission`` sets it.
``memory.leave`` clears it, when ``start`` fails and when the runner ends a job (last token, ``cancel``, an error);
for a shop's prompt ``admission.opened`` does, as soon as others may copy it.
"""
