"""The contract between writer and reader: the contents of a store, and how to read them.

- `names`: the names that are allowed, checked before they become paths;
- `layout`: the path of everything in a store;
- `documents`, `refs`, `version`, `preparation`, `signature`, `digests`: contents of files as frozen
  values, each with `parse` and `render`, which are exact inverses;
- `reading`: opening files on a mount, by the rules of docs/store-format.md;
- `errors`: the errors of all of these.

Standard library only; no policy, no ONNX, no AWS. Nothing here writes.
"""
