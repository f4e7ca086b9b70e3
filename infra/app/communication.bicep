// ACS with an identity of its own, with which it asks the speech service for Play and Recognize,
// and the topic of its events. The subscriptions are in ../events.bicep.
param name string
param topicName string
param dataLocation string
param tags object

resource communication 'Microsoft.Communication/communicationServices@2025-09-01' = {
  name: name
  location: 'global'
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    dataLocation: dataLocation
    disableLocalAuth: true
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: topicName
  location: 'global'
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: communication.id
    topicType: 'Microsoft.Communication.CommunicationServices'
  }
}

output name string = communication.name
output principalId string = communication.identity.principalId
output endpoint string = 'https://${communication.properties.hostName}'
output immutableId string = communication.properties.immutableResourceId
output topicName string = topic.name
output topicId string = topic.id
output topicPrincipalId string = topic.identity.principalId
