// Two accounts: the host's own, which may be private, and the dead letters', which Event Grid must
// be able to reach. No shared keys anywhere.
param name string
param deadLetterName string
param location string
param tags object
param vnetEnabled bool

var packageContainer = 'packages'

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: vnetEnabled ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: storage
  name: 'default'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: packageContainer
  properties: {
    publicAccess: 'None'
  }
}

resource deadLetters 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: deadLetterName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Event Grid comes as a trusted service; a private account would not let it in.
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      defaultAction: 'Deny'
      bypass: 'AzureServices'
    }
  }
}

resource deadLetterBlobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: deadLetters
  name: 'default'
}

resource deadLetterContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: deadLetterBlobs
  name: 'dead-letters'
  properties: {
    publicAccess: 'None'
  }
}

// A dead letter holds who called whom: nobody needs that for longer than the inquiry takes.
resource lifetimes 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: deadLetters
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-after-30-days'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: 30
                }
              }
            }
          }
        }
      ]
    }
  }
}

output id string = storage.id
output name string = storage.name
output deadLetterName string = deadLetters.name
output packageContainerUrl string = '${storage.properties.primaryEndpoints.blob}${packageContainer}'
