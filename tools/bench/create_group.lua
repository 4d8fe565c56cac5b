-- For wrk: creates one group after another.
local number = 0
local run = os.getenv("RUN")

function request()
  number = number + 1
  return wrk.format("POST", nil, nil, '{"name": "' .. run .. "-" .. number .. '", "quota_allowance": 1}')
end
