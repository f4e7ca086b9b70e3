// Composes the modules of app/, and decides nothing else. The Event Grid subscriptions are in
// events.bicep: they need the deployed functions.
targetScope = 'subscription'

@description('Name of the azd environment; part of every name.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Region of everything but the model and the global resources.')
param location string

@description('Region of the model, whose quota is regional; empty: the same.')
param openAiLocation string = ''

@description('Object id of whoever deploys; empty: nobody gets data access.')
param principalId string = ''

@allowed([
  'User'
  'ServicePrincipal'
])
param principalType string = 'User'

@description('Private endpoints for every store; the stores then refuse the public network.')
param vnetEnabled bool = true

@description('Where ACS keeps its data at rest; cannot be changed later.')
param communicationDataLocation string = 'United States'

@description('The number that outbound calls show; empty: there are none.')
param sourceNumber string = ''

@description('The number that one-time codes are texted from; it must be able to send SMS.')
param smsSender string = ''

@description('The address that codes and agreements are mailed from, of a domain linked to ACS.')
param emailSender string = ''

@description('Queues and phone numbers of people: general=+15550001111,fraud=+15550002222')
param transferTargets string = ''

@description('Record and transcribe every call. Many countries demand consent.')
param recordCalls bool = false

param chatModelName string = 'gpt-4o'
param chatModelVersion string = '2024-11-20'
@description('In thousands of tokens a minute; docs/operations.md says how many calls need how much.')
param chatCapacity int = 100
param embeddingCapacity int = 50

@description('Instances that are always warm; 2 if the plan is zone redundant.')
@minValue(1)
param alwaysReadyInstances int = 1

@minValue(1)
param maximumInstances int = 40

@description('HTTP and Event Grid executions at once on an instance; the platform default for Python is 1.')
@minValue(1)
param httpConcurrency int = 16

param redisSku string = 'Balanced_B0'

@description('Where alerts go; empty: they only show in the portal.')
param alertEmail string = ''

@description('Make a new callback signing key. True the first time; an output then says false.')
param createSigningKey bool = true

@secure()
@description('Never given by hand: drawn anew at every deployment, and used only if createSigningKey.')
param newSigningKey string = '${newGuid()}${newGuid()}'

var abbreviations = loadJsonContent('abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: '${abbreviations.resourceGroup}${environmentName}'
  location: location
  tags: tags
}

module identity 'app/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: '${abbreviations.identity}${token}'
    location: location
    tags: tags
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    logsName: '${abbreviations.logs}${token}'
    insightsName: '${abbreviations.insights}${token}'
    actionGroupName: '${abbreviations.actionGroup}${token}'
    location: location
    tags: tags
    alertEmail: alertEmail
    topicId: communication.outputs.topicId
  }
}

module storage 'app/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: '${abbreviations.storage}${token}'
    deadLetterName: '${abbreviations.deadLetterStorage}${token}'
    location: location
    tags: tags
    vnetEnabled: vnetEnabled
  }
}

module vault 'app/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: '${abbreviations.vault}${token}'
    location: location
    tags: tags
    vnetEnabled: vnetEnabled
    createSigningKey: createSigningKey
    newSigningKey: newSigningKey
  }
}

module communication 'app/communication.bicep' = {
  name: 'communication'
  scope: group
  params: {
    name: '${abbreviations.communication}${token}'
    topicName: '${abbreviations.topic}${token}'
    dataLocation: communicationDataLocation
    tags: tags
  }
}

module ai 'app/ai.bicep' = {
  name: 'ai'
  scope: group
  params: {
    speechName: '${abbreviations.speech}${token}'
    openAiName: '${abbreviations.openAi}${token}'
    location: location
    openAiLocation: empty(openAiLocation) ? location : openAiLocation
    tags: tags
    vnetEnabled: vnetEnabled
    chatModelName: chatModelName
    chatModelVersion: chatModelVersion
    chatCapacity: chatCapacity
    embeddingCapacity: embeddingCapacity
  }
}

module redis 'app/redis.bicep' = {
  name: 'redis'
  scope: group
  params: {
    name: '${abbreviations.redis}${token}'
    location: location
    tags: tags
    skuName: redisSku
    vnetEnabled: vnetEnabled
  }
}

module cosmos 'app/cosmos.bicep' = {
  name: 'cosmos'
  scope: group
  params: {
    name: '${abbreviations.cosmos}${token}'
    location: location
    tags: tags
    vnetEnabled: vnetEnabled
  }
}

module network 'app/network.bicep' = if (vnetEnabled) {
  name: 'network'
  scope: group
  params: {
    name: '${abbreviations.network}${token}'
    endpointPrefix: abbreviations.endpoint
    location: location
    tags: tags
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
    openAiId: ai.outputs.openAiId
    redisId: redis.outputs.id
    cosmosId: cosmos.outputs.id
  }
}

module roles 'app/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    appPrincipalId: identity.outputs.principalId
    communicationPrincipalId: communication.outputs.principalId
    topicPrincipalId: communication.outputs.topicPrincipalId
    deployerPrincipalId: principalId
    deployerPrincipalType: principalType
    storageName: storage.outputs.name
    deadLetterStorageName: storage.outputs.deadLetterName
    vaultName: vault.outputs.name
    insightsName: monitoring.outputs.insightsName
    communicationName: communication.outputs.name
    speechName: ai.outputs.speechName
    openAiName: ai.outputs.openAiName
    redisName: redis.outputs.name
    cosmosName: cosmos.outputs.name
  }
}

module functionApp 'app/function.bicep' = {
  name: 'function'
  scope: group
  params: {
    planName: '${abbreviations.plan}${token}'
    name: '${abbreviations.functionApp}${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    packageContainerUrl: storage.outputs.packageContainerUrl
    subnetId: vnetEnabled ? network.outputs.functionSubnetId : ''
    alwaysReadyInstances: alwaysReadyInstances
    maximumInstances: maximumInstances
    httpConcurrency: httpConcurrency
  }
  // Without its roles the app starts, fails and is restarted until they have spread.
  dependsOn: [
    roles
  ]
}

module settings 'app/settings.bicep' = {
  name: 'settings'
  scope: group
  params: {
    siteName: functionApp.outputs.name
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    signingKeyUri: vault.outputs.signingKeyUri
    insightsConnectionString: monitoring.outputs.connectionString
    communicationEndpoint: communication.outputs.endpoint
    communicationImmutableId: communication.outputs.immutableId
    sourceNumber: sourceNumber
    smsSender: smsSender
    emailSender: emailSender
    recordCalls: recordCalls
    transferTargets: transferTargets
    speechEndpoint: ai.outputs.speechEndpoint
    openAiEndpoint: ai.outputs.openAiEndpoint
    chatDeployment: ai.outputs.chatDeployment
    embeddingDeployment: ai.outputs.embeddingDeployment
    embeddingDimensions: cosmos.outputs.dimensions
    redisHost: redis.outputs.host
    redisPort: redis.outputs.port
    cosmosEndpoint: cosmos.outputs.endpoint
    cosmosDatabase: cosmos.outputs.databaseName
  }
}

// azd keeps these in its environment; the hooks and `make smoke` read them.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = functionApp.outputs.name
output PUBLIC_BASE_URL string = functionApp.outputs.url
output EVENT_TOPIC_NAME string = communication.outputs.topicName
output DEAD_LETTER_STORAGE_NAME string = storage.outputs.deadLetterName
output AZURE_OPENAI_ENDPOINT string = ai.outputs.openAiEndpoint
output AZURE_OPENAI_EMBEDDING_DEPLOYMENT string = ai.outputs.embeddingDeployment
output EMBEDDING_DIMENSIONS int = cosmos.outputs.dimensions
output COSMOS_ENDPOINT string = cosmos.outputs.endpoint
output COSMOS_DATABASE string = cosmos.outputs.databaseName
// The next deployment finds the key in the vault and leaves it alone.
output CREATE_SIGNING_KEY string = 'false'
