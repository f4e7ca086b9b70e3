# Subscribes the deployed functions to the events of ACS, and warms the first instance.
# azd gives its environment to hooks.
$ErrorActionPreference = 'Stop'

foreach ($name in 'AZURE_RESOURCE_GROUP', 'AZURE_FUNCTION_APP_NAME', 'EVENT_TOPIC_NAME', 'DEAD_LETTER_STORAGE_NAME') {
    if (-not [Environment]::GetEnvironmentVariable($name)) {
        throw "$name is missing: run this by azd"
    }
}
$folder = Split-Path -Parent $PSScriptRoot
$calledNumbers = if ($env:CALLED_NUMBERS) { $env:CALLED_NUMBERS } else { '[]' }

# ARM lists the functions some time after the package is there, and refuses what it does not know.
foreach ($attempt in 1..6) {
    az deployment group create --only-show-errors --output none `
        --resource-group $env:AZURE_RESOURCE_GROUP `
        --name voice-agent-events `
        --template-file (Join-Path $folder 'events.bicep') `
        --parameters `
            functionAppName=$env:AZURE_FUNCTION_APP_NAME `
            topicName=$env:EVENT_TOPIC_NAME `
            deadLetterStorageName=$env:DEAD_LETTER_STORAGE_NAME `
            calledNumbers=$calledNumbers
    if ($LASTEXITCODE -eq 0) { break }
    if ($attempt -eq 6) { throw 'The event subscriptions could not be created; run this script again.' }
    Write-Host "The functions are not listed yet (attempt $attempt of 6), trying again ..."
    Start-Sleep -Seconds 20
}
Write-Host "Calls and recordings of the ACS resource now reach $env:AZURE_FUNCTION_APP_NAME."

if ($env:PUBLIC_BASE_URL) {
    try {
        Invoke-RestMethod -TimeoutSec 60 -Uri "$env:PUBLIC_BASE_URL/api/health/ready" | ConvertTo-Json -Compress
    } catch {
        Write-Warning "Not ready yet: $($_.Exception.Message)"
    }
}
