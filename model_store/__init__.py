"""The contract that writer and reader share: what lies in a store, and how it is read.

- `names`: what a name may be, checked before it becomes a path;
- `layout`: where each thing lies;
- `documents`, `refs`, `version`, `preparation`, `signature`, `digests`: the files' contents as
  frozen values, each with `parse` and `render`, which are exact inverses;
- `reading`: opening them on a mount, by the rules of docs/store-format.md;
- `errors`: what can be wrong.

Standard library only; no policy, no ONNX, no AWS, and nothing here writes.
"""
