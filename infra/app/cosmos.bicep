// Records and knowledge. Serverless: paid by request. The containers are those of
// shared/records/containers.py; a data role cannot create them.
param name string
param location string
param tags object
param vnetEnabled bool

@description('Of the embedding model; a container cannot change it later.')
param dimensions int = 1536

var databaseName = 'voice-agent'
var partitionPath = '/partition'
var forever = -1
var archiveSeconds = 7776000
var records = [
  {
    name: 'customers'
    ttl: forever
  }
  {
    name: 'accounts'
    ttl: forever
  }
  {
    name: 'transactions'
    ttl: forever
  }
  {
    name: 'cards'
    ttl: forever
  }
  {
    name: 'applications'
    ttl: forever
  }
  {
    name: 'cases'
    ttl: forever
  }
  {
    name: 'callbacks'
    ttl: forever
  }
  {
    name: 'calls'
    ttl: archiveSeconds
  }
]

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-10-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: [
      {
        locationName: location
        failoverPriority: 0
        isZoneRedundant: false
      }
    ]
    capabilities: [
      {
        name: 'EnableServerless'
      }
      {
        name: 'EnableNoSQLVectorSearch'
      }
      {
        name: 'EnableNoSQLFullTextSearch'
      }
    ]
    consistencyPolicy: {
      // Several instances write the same records: with sessions, each would read its own writes only.
      defaultConsistencyLevel: 'Strong'
    }
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: {
        tier: 'Continuous7Days'
      }
    }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-10-15' = {
  parent: account
  name: databaseName
  properties: {
    resource: {
      id: databaseName
    }
  }
}

resource containers 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-10-15' = [for record in records: {
  parent: database
  name: record.name
  properties: {
    resource: {
      id: record.name
      partitionKey: {
        paths: [
          partitionPath
        ]
        kind: 'Hash'
        version: 2
      }
      defaultTtl: record.ttl
    }
  }
}]

resource knowledge 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-10-15' = {
  parent: database
  name: 'knowledge'
  properties: {
    resource: {
      id: 'knowledge'
      partitionKey: {
        paths: [
          partitionPath
        ]
        kind: 'Hash'
        version: 2
      }
      defaultTtl: forever
      indexingPolicy: {
        indexingMode: 'consistent'
        automatic: true
        includedPaths: [
          {
            path: '/*'
          }
        ]
        // Indexed as a vector only; as numbers it would cost a thousand times as much to write.
        excludedPaths: [
          {
            path: '/embedding/*'
          }
          {
            path: '/"_etag"/?'
          }
        ]
        vectorIndexes: [
          {
            path: '/embedding'
            type: 'diskANN'
          }
        ]
        fullTextIndexes: [
          {
            path: '/content'
          }
        ]
      }
      vectorEmbeddingPolicy: {
        vectorEmbeddings: [
          {
            path: '/embedding'
            dataType: 'float32'
            dimensions: dimensions
            distanceFunction: 'cosine'
          }
        ]
      }
      fullTextPolicy: {
        defaultLanguage: 'en-US'
        fullTextPaths: [
          {
            path: '/content'
            language: 'en-US'
          }
        ]
      }
    }
  }
}

output id string = account.id
output name string = account.name
output endpoint string = account.properties.documentEndpoint
output databaseName string = databaseName
output dimensions int = dimensions
