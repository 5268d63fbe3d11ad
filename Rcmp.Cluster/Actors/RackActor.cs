using Akka.Actor;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.Cluster.Actors;

/// <summary>Where the network's messages for this rack arrive; the host outlives it.</summary>
internal sealed class RackActor : ReceiveActor
{
    public RackActor(RackHost host, Action accepted, Action<RegistrationRefused> refused)
    {
        Receive<RackRegistered>(registered =>
        {
            accepted();
            host.Deliver(registered);
        });
        Receive<RegistrationRefused>(refusal =>
        {
            host.Deliver(refusal);
            refused(refusal);
        });
        Receive<IPoolProtocol>(host.Deliver);
    }
}
