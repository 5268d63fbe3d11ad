using System.Globalization;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Hosting.Logging;
using Microsoft.Extensions.Logging;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Serialization;
using Rcmp.Cluster.Transport;

namespace Rcmp.Cluster.Nodes;

/// <summary>The HOCON of our actor systems, and how they are started.</summary>
internal static class SystemConfig
{
    public const string MasterRole = "master";
    public const string RackRole = "rack";
    public const string DirectoryRole = "directory";
    public const string Dispatcher = "rcmp-dispatcher";

    private const string FirstSeedPatience = "10s";

    /// <summary>Binds our serializer to our messages, and our dispatcher to its name; all that a foreign system needs.</summary>
    public const string Bindings =
        """
        akka.actor {
          serializers.rcmp = "Rcmp.Cluster.Serialization.PoolSerializer, Rcmp.Cluster"
          serialization-bindings { "Rcmp.Protocol.IPoolProtocol, Rcmp.Core" = rcmp }
        }
        rcmp-dispatcher { type = ForkJoinDispatcher, executor = fork-join-executor, throughput = 64, dedicated-thread-pool { thread-count = 2 } }
        """;

    public static Config ForNode(NodeOptions options, string role)
    {
        var seeds = string.Join(", ", options.SeedNodes.Select(seed => $"\"{seed.Akka}\""));
        // The first seed forms a new cluster if no other seed answers in time. One that was killed and restarted on a busy machine did so beside the
        // cluster that lived, after the 500 ms of the profile "fast", and the pool was in two parts for good. Seeds that start as well answer at once.
        var isFirstOfMany = options.SeedNodes.Count > 1 && options.SeedNodes[0] == options.Address;
        var patience = isFirstOfMany ? $"akka.cluster.seed-node-timeout = {FirstSeedPatience}" : "";
        // The user's section does not decide who we are.
        return ConfigurationFactory.ParseString(
            $$"""
            akka.remote.dot-netty.tcp { hostname = "{{options.Address.Host}}", port = {{Text(options.Address.Port)}} }
            akka.cluster { roles = [{{role}}, {{DirectoryRole}}], seed-nodes = [{{seeds}}] }
            {{patience}}
            """ + "\n" + RefusedSerializer.Bindings)
            .WithFallback(options.Common.AkkaOverrides)
            .WithFallback(ConfigurationFactory.ParseString(Limits(options)))
            .WithFallback(Profile(options.Common.TimingProfile))
            .WithFallback(Resource("akka-node.conf"))
            .WithFallback(Resource("akka-common.conf"))
            .WithFallback(ConfigurationFactory.ParseString(Bindings));
    }

    public static Config ForClient(string host, int port, string timingProfile) =>
        ConfigurationFactory.ParseString(
            $$"""
            akka.actor { provider = remote, serialization-settings.allow-unregistered-types = off }
            akka.remote.dot-netty.tcp { hostname = "{{host}}", port = {{Text(port)}} }
            """ + "\n" + RefusedSerializer.Bindings)
            .WithFallback(Profile(timingProfile))
            .WithFallback(Resource("akka-common.conf"))
            .WithFallback(ConfigurationFactory.ParseString(Bindings));

    // The transport's frame is larger than a body: an oversized message fails at its sender, by name.
    private static string Limits(NodeOptions options) =>
        $$"""
        {{PoolSerializer.LimitKey}} = {{Text(options.Common.MessageBytesMax)}}
        akka.remote.dot-netty.tcp.maximum-frame-size = {{Text(options.Common.MessageBytesMax + (1 << 20))}}
        akka.remote.dot-netty.tcp.{{SocketTransport.ConnectionsKey}} = {{Text(options.ConnectionsMax)}}
        """;

    public static Config Profile(string name) => Resource($"timing-{name}.conf");

    /// <exception cref="PoolException">The port is in use, or the host is not this machine's; the cause is the socket's error.</exception>
    public static ActorSystem Start(string name, Config config, ILoggerFactory? loggers, string addressKeys)
    {
        var setup = ActorSystemSetup.Empty;
        if (loggers is null)
        {
            config = ConfigurationFactory.ParseString("akka { loggers = [], loglevel = OFF }").WithFallback(config);
        }
        else
        {
            config = ConfigurationFactory.ParseString("akka.loggers = [\"Akka.Hosting.Logging.LoggerFactoryLogger, Akka.Hosting\"]").WithFallback(config);
            setup = setup.And(new LoggerFactorySetup(loggers));
        }
        try
        {
            return ActorSystem.Create(name, setup.And(BootstrapSetup.Create().WithConfig(config)));
        }
        catch (Exception e) when (SocketErrorOf(e) is { } error)
        {
            var address = $"{config.GetString("akka.remote.dot-netty.tcp.hostname")}:{config.GetString("akka.remote.dot-netty.tcp.port")}";
            throw new PoolException($"Cannot listen at {address}: {error.Message}. Change {addressKeys}.", false, error);
        }
    }

    private static System.Net.Sockets.SocketException? SocketErrorOf(Exception exception)
    {
        foreach (var e in new AggregateException(exception).Flatten().InnerExceptions)
            for (var cause = e; cause is not null; cause = cause.InnerException)
                if (cause is System.Net.Sockets.SocketException socket)
                    return socket;
        return null;
    }

    private static Config Resource(string name) => ConfigurationFactory.ParseString(ConfigLoader.Resource(name));

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
