"""The shop's memory: one database and a folder of photos. All SQL of the house is in this room.

``schema.migrate`` brings a database up to this program, ``store.open_store`` opens it, ``photos.PhotoFiles`` keeps the
pictures beside it, ``copies`` and ``health`` are for the owner's ``db`` commands.
"""
