// Speech for ACS and for us, and the models. Two accounts, because the model's quota is regional.
param speechName string
param openAiName string
param location string
param openAiLocation string
param tags object
param vnetEnabled bool
param chatModelName string
param chatModelVersion string
param chatCapacity int
param embeddingCapacity int

@description('Its dimensions are those of the vectors in cosmos.bicep.')
param embeddingModelName string = 'text-embedding-3-small'
param embeddingModelVersion string = '1'

resource speech 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: speechName
  location: location
  tags: tags
  kind: 'AIServices'
  sku: {
    name: 'S0'
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    // Tokens work only on a name of its own.
    customSubDomainName: speechName
    disableLocalAuth: true
    // ACS comes from outside of our network, by its identity.
    publicNetworkAccess: 'Enabled'
  }
}

resource openAi 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: openAiName
  location: openAiLocation
  tags: tags
  kind: 'OpenAI'
  sku: {
    name: 'S0'
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    customSubDomainName: openAiName
    disableLocalAuth: true
    publicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: vnetEnabled ? 'Deny' : 'Allow'
    }
  }
}

resource chat 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = {
  parent: openAi
  name: 'chat'
  sku: {
    name: 'GlobalStandard'
    capacity: chatCapacity
  }
  properties: {
    model: {
      format: 'OpenAI'
      name: chatModelName
      version: chatModelVersion
    }
    versionUpgradeOption: 'NoAutoUpgrade'
  }
}

resource embedding 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = {
  parent: openAi
  name: 'embedding'
  sku: {
    name: 'GlobalStandard'
    capacity: embeddingCapacity
  }
  properties: {
    model: {
      format: 'OpenAI'
      name: embeddingModelName
      version: embeddingModelVersion
    }
    versionUpgradeOption: 'NoAutoUpgrade'
  }
  // Deployments of one account are made one after the other, or one of them fails.
  dependsOn: [
    chat
  ]
}

output speechName string = speech.name
output speechEndpoint string = speech.properties.endpoint
output openAiId string = openAi.id
output openAiName string = openAi.name
output openAiEndpoint string = openAi.properties.endpoint
output chatDeployment string = chat.name
output embeddingDeployment string = embedding.name
