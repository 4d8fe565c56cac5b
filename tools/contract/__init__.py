"""The facts of the API's contract page as data: methods, paths, parameters, statuses, fields, types and enums."""
