// One secret: the key that signs callback URLs. It is made by the first deployment, never leaves
// the vault for a file or a pipeline, and reaches the app as a reference.
param name string
param location string
param tags object
param vnetEnabled bool
param createSigningKey bool

@secure()
param newSigningKey string

var secretName = 'callback-signing-key'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    publicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: vnetEnabled ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource signingKey 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (createSigningKey) {
  parent: vault
  name: secretName
  properties: {
    value: newSigningKey
    contentType: 'signs callback URLs; newest first, comma between'
  }
}

output id string = vault.id
output name string = vault.name
output signingKeyUri string = '${vault.properties.vaultUri}secrets/${secretName}'
