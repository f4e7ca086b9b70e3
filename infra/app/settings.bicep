// Every app setting, once. tests/unit/test_settings.py compares the names with those that the code
// reads and with local.settings.example.json; what is only for a laptop is in
// infra/preflight/names.py, with the reason.
param siteName string
param identityClientId string
param storageName string
param signingKeyUri string
param insightsConnectionString string
param communicationEndpoint string
param communicationImmutableId string
param sourceNumber string
param smsSender string
param emailSender string
param recordCalls bool
param transferTargets string
param speechEndpoint string
param openAiEndpoint string
param chatDeployment string
param embeddingDeployment string
param embeddingDimensions int
param redisHost string
param redisPort int
param cosmosEndpoint string
param cosmosDatabase string

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: siteName
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'appsettings'
  properties: {
    // the platform: storage by identity, telemetry by the worker (docs/operations.md)
    AzureWebJobsStorage__accountName: storageName
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'

    // where we are
    PUBLIC_BASE_URL: 'https://${site.properties.defaultHostName}'
    CALLBACK_SIGNING_KEY: '@Microsoft.KeyVault(SecretUri=${signingKeyUri})'
    AZURE_CLIENT_ID: identityClientId
    LOG_LEVEL: 'INFO'
    LOG_LEVELS: ''

    // telemetry: the worker configures OpenTelemetry, keeps every span and makes none of its own
    SERVICE_NAME: siteName
    SERVICE_VERSION: 'development'
    PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
    PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME: 'voice_agent'
    OTEL_EXPORTER_OTLP_ENDPOINT: ''
    OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
    OTEL_TRACES_SAMPLER_ARG: '1.0'
    OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3'
    OTEL_EXPERIMENTAL_RESOURCE_DETECTORS: 'azure_functions'
    APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
    APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED: 'true'
    TRACE_CONTENT: 'false'

    // money: list prices; the memory is that of the plan in function.bicep
    PRICES: ''
    PRICE_CURRENCY: 'USD'
    INSTANCE_MEMORY_MB: '2048'

    // Azure Communication Services
    ACS_ENDPOINT: communicationEndpoint
    ACS_AUDIENCE: communicationImmutableId
    ACS_SOURCE_NUMBER: sourceNumber
    SMS_SENDER: smsSender
    EMAIL_SENDER: emailSender
    RECORD_CALLS: recordCalls ? 'true' : 'false'
    COGNITIVE_SERVICES_ENDPOINT: speechEndpoint

    // the model
    AZURE_OPENAI_ENDPOINT: openAiEndpoint
    AZURE_OPENAI_CHAT_DEPLOYMENT: chatDeployment
    AZURE_OPENAI_EMBEDDING_DEPLOYMENT: embeddingDeployment
    EMBEDDING_DIMENSIONS: string(embeddingDimensions)

    // speech
    SPEECH_ENDPOINT: speechEndpoint
    SPEECH_THREADS: '16'
    TTS_POOL_SIZE: '3'
    TTS_POOL_MAX: '16'
    STT_POOL_SIZE: '2'
    STT_POOL_MAX: '8'
    VOICE_RENDERER: 'acs'

    // state
    REDIS_HOST: redisHost
    REDIS_PORT: string(redisPort)
    SESSION_TTL_S: '86400'
    COSMOS_ENDPOINT: cosmosEndpoint
    COSMOS_DATABASE: cosmosDatabase
    ARCHIVE_TTL_S: '7776000'

    // the agent and the call flow
    AGENT_SCENARIO: 'bank'
    TRANSFER_TARGETS: transferTargets
    FILLER_AFTER_S: '1.5'
    FIRST_SENTENCE_S: '4'
    TURN_TIMEOUT_S: '15'
    CALLBACK_ACK_S: '4'
    LEASE_S: '20'
    SWEEP_PERIOD_S: '15'
    SWEEP_SCHEDULE: '*/15 * * * * *'
    KEEP_WARM_SCHEDULE: '0 */4 * * * *'
    SILENT_CALL_S: '180'
  }
}
