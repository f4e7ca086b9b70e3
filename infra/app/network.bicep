// A network of two subnets: where the functions go out, and where the stores are reached.
param name string
param endpointPrefix string
param location string
param tags object
param storageId string
param vaultId string
param openAiId string
param redisId string
param cosmosId string

resource guard 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-nsg'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.20.0.0/16'
      ]
    }
    subnets: [
      {
        name: 'functions'
        properties: {
          // Flex Consumption takes one address an instance, and no underscore in the name.
          addressPrefix: '10.20.0.0/24'
          networkSecurityGroup: {
            id: guard.id
          }
          delegations: [
            {
              name: 'flex'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.20.1.0/24'
          privateEndpointNetworkPolicies: 'Enabled'
          networkSecurityGroup: {
            id: guard.id
          }
        }
      }
    ]
  }
}

module endpoints 'endpoints.bicep' = {
  name: 'endpoints'
  params: {
    prefix: endpointPrefix
    location: location
    tags: tags
    networkName: network.name
    storageId: storageId
    vaultId: vaultId
    openAiId: openAiId
    redisId: redisId
    cosmosId: cosmosId
  }
}

output functionSubnetId string = '${network.id}/subnets/functions'
