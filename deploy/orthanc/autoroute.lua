-- Send every study to the AI node once it has stopped growing, each instance once.
--
-- Two things must not happen: a result of the node is sent to the node again (a result makes its
-- study "stable" anew), and an instance is forgotten because the node was down for a while. So an
-- instance is marked with the metadata SentToAi when a send has succeeded, not when it starts, and
-- whatever the node itself brought is left out. A restart of Orthanc may send some instances
-- twice, which does no harm: the node knows them.

local NODE = 'AI_NODE' -- key in DicomModalities, and the node's AE title

local underway = {} -- instance -> true, while a job that holds it is not finished
local settled = {}  -- failed job -> true, when others have taken over its instances
local look = true   -- are there failed jobs to look for? At the start there may be.

local function get(path)
  return ParseJson(RestApiGet(path))
end

local function metadata(instance)
  local found = {}
  for _, name in ipairs(get('/instances/' .. instance .. '/metadata')) do
    found[name] = true
  end
  return found
end

local function mark(instance, outcome)
  RestApiPut('/instances/' .. instance .. '/metadata/SentToAi', outcome)
end

local function isOwed(instance)
  if underway[instance] then
    return false
  end
  local known = metadata(instance)
  if known['SentToAi'] then
    return false
  end
  return not (known['RemoteAET']
    and RestApiGet('/instances/' .. instance .. '/metadata/RemoteAET') == NODE)
end

-- Asynchronous, because a script that waits holds up the very C-STOREs of the node's results.
-- Never permissive: a permissive job reports success even if nothing arrived.
local function send(instances)
  local quoted = {}
  for _, instance in ipairs(instances) do
    underway[instance] = true
    quoted[#quoted + 1] = '"' .. instance .. '"'
  end
  RestApiPost('/modalities/' .. NODE .. '/store',
    '{"Asynchronous": true, "Resources": [' .. table.concat(quoted, ',') .. ']}')
end

local function isOurs(job)
  return job and job['Type'] == 'DicomModalityStore' and job['Content']['RemoteAet'] == NODE
end

-- The DIMSE status that ended a job, if the node answered with one: four hexadecimal digits.
local function refusal(job)
  local text = (job['ErrorDetails'] or '') .. (job['ErrorDescription'] or '')
  return text:match('DIMSE status 0x(%x%x%x%x)')
end

-- Orthanc ends a job at the first refused instance. One instance that the node will never take
-- must not hold back the others: they go on alone, and the refused one is marked as such.
local function again(id, job)
  local owed = {}
  for _, instance in ipairs(job['Content']['ParentResources'] or {}) do
    underway[instance] = nil
    if isOwed(instance) then
      owed[#owed + 1] = instance
    end
  end
  local status = refusal(job)
  local final = status and status:sub(1, 2):upper() ~= 'A7' -- A7xx: out of resources, try later
  settled[id] = true
  if #owed == 0 then
    return
  elseif final and #owed == 1 then
    mark(owed[1], 'refused 0x' .. status)
    print('autoroute: ' .. NODE .. ' refuses instance ' .. owed[1] .. ' with 0x' .. status)
  elseif final then
    for _, instance in ipairs(owed) do
      send({instance})
    end
  else
    send(owed)
  end
end

local function retry()
  if not look then
    return
  end
  look = false
  for _, job in ipairs(get('/jobs?expand')) do
    if isOurs(job) and job['State'] == 'Failure' and not settled[job['ID']] then
      again(job['ID'], job)
    end
  end
end

function OnStableStudy(study, _, _)
  retry()
  local owed = {}
  for _, instance in ipairs(get('/studies/' .. study .. '/instances')) do
    if isOwed(instance['ID']) then
      owed[#owed + 1] = instance['ID']
    end
  end
  if #owed > 0 then
    send(owed)
  end
  print('autoroute: study ' .. study .. ': ' .. #owed .. ' instance(s) to ' .. NODE)
end

function OnJobSuccess(id)
  local job = get('/jobs/' .. id)
  if isOurs(job) then
    for _, instance in ipairs(job['Content']['ParentResources'] or {}) do
      underway[instance] = nil
      mark(instance, 'sent')
    end
  end
end

function OnJobFailure(id)
  if isOurs(get('/jobs/' .. id)) then
    look = true
    print('autoroute: job ' .. id .. ' to ' .. NODE .. ' failed; it is sent again later')
  end
end

-- Orthanc 1.11 and later call this every LuaHeartBeatPeriod seconds. Older ones do not: there, what
-- failed is sent again when the next study becomes stable.
function OnHeartBeat()
  retry()
end
