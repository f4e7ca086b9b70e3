// The sessions. Entra logins only; one endpoint for every key (docs/adr/0006), nothing evicted.
param name string
param location string
param tags object
param skuName string
param vnetEnabled bool

var databasePort = 10000

resource redis 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: skuName
  }
  properties: {
    minimumTlsVersion: '1.2'
    // A second node: without it every failure of a node ends every call.
    highAvailability: 'Enabled'
    publicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = {
  parent: redis
  name: 'default'
  properties: {
    clientProtocol: 'Encrypted'
    port: databasePort
    clusteringPolicy: 'EnterpriseCluster'
    // Full is an error that we see; an evicted session would be a call that forgets.
    evictionPolicy: 'NoEviction'
    accessKeysAuthentication: 'Disabled'
  }
}

output id string = redis.id
output name string = redis.name
output host string = redis.properties.hostName
output port int = databasePort
